"""Time-to-event analysis: groups, Kaplan-Meier, log-rank, Cox, restricted means, optimal cuts.

A difference in survival is prognostic: it says nothing on a drug unless the treatment is known.
"""

from resvae_core.survival.covariates import Covariates, covariates_of
from resvae_core.survival.cox import HazardRatio, cox_high_vs_low, cox_per_sd
from resvae_core.survival.cox_model import CoxModel, cox_adjusted
from resvae_core.survival.groups import Groups, Rule, group_by_category, group_by_expression
from resvae_core.survival.kaplan_meier import DAYS_PER_MONTH, KaplanMeier, kaplan_meier
from resvae_core.survival.landmark import Landmark, landmark, survival_at
from resvae_core.survival.log_rank import LogRank, log_rank
from resvae_core.survival.optimal_cut import CrossValidatedCut, OptimalCut, optimal_cut
from resvae_core.survival.rmst import RmstDifference, rmst_difference
from resvae_core.survival.screen import screen_genes
from resvae_core.survival.signature import Signature, signature_score

__all__ = [
    "DAYS_PER_MONTH",
    "Covariates",
    "CoxModel",
    "CrossValidatedCut",
    "Groups",
    "HazardRatio",
    "KaplanMeier",
    "Landmark",
    "LogRank",
    "OptimalCut",
    "RmstDifference",
    "Rule",
    "Signature",
    "covariates_of",
    "cox_adjusted",
    "cox_high_vs_low",
    "cox_per_sd",
    "group_by_category",
    "group_by_expression",
    "kaplan_meier",
    "landmark",
    "log_rank",
    "optimal_cut",
    "rmst_difference",
    "screen_genes",
    "signature_score",
    "survival_at",
]
