"""Time-to-event analysis: groups, Kaplan-Meier, log-rank, Cox.

A difference in survival is prognostic: it says nothing on a drug unless the treatment is known.
"""

from resvae_core.survival.cox import HazardRatio, cox_high_vs_low, cox_per_sd
from resvae_core.survival.groups import Groups, Rule, group_by_category, group_by_expression
from resvae_core.survival.kaplan_meier import DAYS_PER_MONTH, KaplanMeier, kaplan_meier
from resvae_core.survival.log_rank import LogRank, log_rank

__all__ = [
    "DAYS_PER_MONTH",
    "Groups",
    "HazardRatio",
    "KaplanMeier",
    "LogRank",
    "Rule",
    "cox_high_vs_low",
    "cox_per_sd",
    "group_by_category",
    "group_by_expression",
    "kaplan_meier",
    "log_rank",
]
