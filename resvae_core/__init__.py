"""Drug resistance of tumours from bulk RNA-seq: prediction, explanation, survival.

Research use only: not for diagnosis or treatment decisions.
"""

__version__ = "0.1.0"
