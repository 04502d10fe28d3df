"""Drug resistance of tumours from bulk RNA-seq: prediction, explanation, survival.

Research use only: not for diagnosis or treatment decisions.
"""

import os

# Libraries with OpenMP spin while they wait: on shared cores a batch of one takes a hundred times
# longer with two threads than with one. They read this when they load, so it stands here.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("OMP_NUM_THREADS", "1")

__version__ = "0.5.0"
