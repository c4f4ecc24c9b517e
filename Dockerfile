# All roles of Sluice: `docker run sluice:0.1.0 run`, `... sources`, `... sinks`, `... simulate`, `... dashboard`, `... verify`.
FROM node:24.21.0-slim
ENV NODE_ENV=production
WORKDIR /app
COPY package.json package-lock.json ./
# Node is the image's own; the tools of development stay out.
RUN npm ci --omit=dev --ignore-scripts --no-fund --no-audit && npm cache clean --force
COPY bin bin
COPY connectors connectors
COPY dashboard dashboard
COPY dev dev
COPY processors processors
COPY schemas schemas
COPY simulators simulators
COPY test/oracles test/oracles
COPY topology topology
COPY README.md LICENSE tsconfig.json ./
RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
ENTRYPOINT ["node", "--disable-warning=ExperimentalWarning", "--max-semi-space-size=16", "bin/main.ts"]
CMD ["--help"]
