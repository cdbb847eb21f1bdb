# A worker of cpu-pool, and what runs on it: corpora, backing, songs, the steering of a retrain: no TensorFlow.
#   docker build -f deployments/images/cpu.Dockerfile -t rhapsody-cpu:0.1.0 .
FROM python:3.11.11-slim-bookworm
ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN useradd --uid 10001 --create-home rhapsody && install -d -o rhapsody /var/lib/rhapsody /var/lib/rhapsody/work /var/cache/rhapsody
COPY . /usr/src/rhapsody
RUN pip install -c /usr/src/rhapsody/deployments/images/constraints.txt \
    '/usr/src/rhapsody[backing,song,retrieval,orchestrate]' \
    && pip install --no-deps tinysoundfont==0.3.7 && rm -r /usr/src/rhapsody
# What worker.env sets and a container of a Docker or Kubernetes pool, which does not inherit it, needs as well.
ENV OMP_NUM_THREADS=1 TF_CPP_MIN_LOG_LEVEL=3 DO_NOT_TRACK=1
USER rhapsody
WORKDIR /var/lib/rhapsody/work
ENV PREFECT_HOME=/var/lib/rhapsody RHAPSODY_HOME=/var/lib/rhapsody/work RHAPSODY_CACHE=/var/cache/rhapsody
CMD ["prefect", "worker", "start", "--pool", "cpu-pool", "--type", "process"]
