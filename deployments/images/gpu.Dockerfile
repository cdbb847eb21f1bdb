# A worker of gpu-pool, and what runs on it: lyrics, encoder, catalogue. The GPU's driver comes from the machine (NVIDIA
# container toolkit), CUDA with TensorFlow's own extra, which a machine without a GPU need not have.
#   docker build -f deployments/images/gpu.Dockerfile -t rhapsody-gpu:0.1.0 .
FROM python:3.11.11-slim-bookworm
ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN useradd --uid 10001 --create-home rhapsody && install -d -o rhapsody /var/lib/rhapsody /var/lib/rhapsody/work /var/cache/rhapsody
COPY . /usr/src/rhapsody
RUN pip install -c /usr/src/rhapsody/deployments/images/constraints.txt \
    '/usr/src/rhapsody[lyrics,retrieval,orchestrate]' 'tensorflow[and-cuda]' && rm -r /usr/src/rhapsody
# What worker.env sets and a container of a Docker or Kubernetes pool, which does not inherit it, needs as well.
ENV OMP_NUM_THREADS=1 TF_CPP_MIN_LOG_LEVEL=3 DO_NOT_TRACK=1
USER rhapsody
WORKDIR /var/lib/rhapsody/work
ENV PREFECT_HOME=/var/lib/rhapsody RHAPSODY_HOME=/var/lib/rhapsody/work RHAPSODY_CACHE=/var/cache/rhapsody
CMD ["prefect", "worker", "start", "--pool", "gpu-pool", "--type", "process"]
