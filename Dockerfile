# syntax=docker/dockerfile:1
# ResVAE. Research use only – not for diagnosis or treatment decisions.
#
#   docker build -t resvae:cpu .
#   docker build -t resvae:cuda --build-arg ACCELERATOR=cuda .     # NVIDIA GPU; several GB more
#
# One image for the dashboard, its job workers and its Dask workers; compose.yaml shows each.

FROM python:3.11-slim-bookworm AS build
ARG ACCELERATOR=cpu
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/resvae
WORKDIR /build
COPY requirements.txt ./
# without a GPU: the small builds, as run.py chooses them
RUN if [ "$ACCELERATOR" = cpu ]; then \
      sed -i 's/^xgboost==/xgboost-cpu==/' requirements.txt \
      && /opt/resvae/bin/pip install --no-deps \
           --index-url https://download.pytorch.org/whl/cpu "$(grep '^torch==' requirements.txt)"; \
    fi \
    && /opt/resvae/bin/pip install -r requirements.txt

FROM python:3.11-slim-bookworm
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 resvae \
    && useradd --uid 10001 --gid resvae --no-create-home --home-dir /tmp resvae \
    && install --directory --owner=resvae --group=resvae /state /data
COPY --from=build /opt/resvae /opt/resvae
WORKDIR /app
COPY .streamlit ./.streamlit
COPY app.py ./
COPY pages ./pages
COPY resvae_core ./resvae_core
COPY assets ./assets
COPY models ./models
# the root is read-only when it runs: whatever is compiled or cached is so now, or in /tmp
RUN /opt/resvae/bin/python -m compileall -q app.py pages resvae_core
ENV PATH=/opt/resvae/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUTF8=1 \
    OMP_WAIT_POLICY=passive \
    HOME=/tmp \
    MPLCONFIGDIR=/tmp/matplotlib \
    NUMBA_CACHE_DIR=/tmp/numba \
    RESVAE_STATE=/state \
    RESVAE_ARTIFACTS=/state/artifacts \
    RESVAE_DATA=/data
USER 10001:10001
VOLUME ["/state", "/data"]
EXPOSE 8501
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)"]
CMD ["streamlit", "run", "app.py", "--server.address=0.0.0.0", "--server.port=8501"]
