#!/usr/bin/env bash
# Tries certkeep on your AWS account and your cluster, from deploying to removing: it registers the
# cluster, backs up a Secret of its own, deletes it, restores it, and posts a digest. What it did is
# in a transcript without account, addresses and keys.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat >&2 <<'TEXT'
Usage: scripts/prove-on-aws.sh --context CONTEXT [--stage STAGE] [--region REGION] [--yes]

  --context  administrator's context in your kubeconfig; the API server must be
             reachable from AWS
  --stage    a stage that doesn't exist yet (default: proof)
  --region   AWS region (default: AWS_REGION)
  --yes      don't ask before starting

Set SLACK_WEBHOOK to the URL of a webhook to see a digest in Slack.
Run it in a fresh clone, after `npm ci`. It needs aws, kubectl and openssl.
TEXT
  exit 2
}

stop() {
  printf 'prove-on-aws: %s\n' "$1" >&2
  exit 2
}

context='' stage=proof region=${AWS_REGION:-} yes=no
while [[ $# -gt 0 ]]; do
  case $1 in
    --context | --stage | --region)
      [[ $# -ge 2 ]] || usage
      printf -v "${1#--}" %s "$2"
      shift 2
      ;;
    --yes) yes=yes && shift ;;
    *) usage ;;
  esac
done
[[ -n $context ]] || usage
[[ -n $region ]] || stop 'no region. Set AWS_REGION, or use --region.'
for tool in aws kubectl openssl node npx; do
  command -v "$tool" >/dev/null || stop "$tool isn't installed. Install it, then try again."
done
[[ -d node_modules ]] || stop 'the packages are missing. Run: npm ci'
[[ ! -e certkeep.yaml ]] || stop 'certkeep.yaml exists here. Run this in a fresh clone.'

cluster=proof
namespace=certkeep-proof
name=proof.certkeep.example
export AWS_REGION=$region AWS_DEFAULT_REGION=$region AWS_PAGER=''
kubectl() { command kubectl --context "$context" "$@"; }
certkeep() { node lib/cli/main.ts "$@"; }
serverless() { npx serverless "$@" --stage "$stage" --region "$region"; }

# Names of the stage's secrets, one a line. Fails where they can't be listed.
secrets() {
  local names
  names=$(aws secretsmanager list-secrets --query 'SecretList[].Name' --output text) || return 1
  tr '\t' '\n' <<<"$names" | { grep "^certkeep/$stage/" || true; }
}
# "yes" or "no". Fails where nobody knows.
stack_exists() {
  local answer
  if answer=$(aws cloudformation describe-stacks --stack-name "certkeep-$stage" 2>&1); then
    echo yes
  elif [[ $answer = *'does not exist'* ]]; then
    echo no
  else
    printf '%s\n' "$answer" >&2
    return 1
  fi
}

# Each of these ends the script where it can't be answered: what was there before isn't touched.
server=$(kubectl config view --minify --output 'jsonpath={.clusters[0].cluster.server}')
account=$(aws sts get-caller-identity --query Account --output text)
stack=$(stack_exists)
held=$(secrets)
own=$(kubectl get namespace "$namespace" --ignore-not-found --output name)
# Other registrations of certkeep in this cluster may lie in its namespace.
shared=$(kubectl get namespace certkeep --ignore-not-found --output name)
roles=$(kubectl get clusterrole --output name)
[[ $stack = no && -z $held ]] ||
  stop "the stage $stage exists already. Name another one with --stage, since this one is deleted at the end."
[[ -z $own ]] ||
  stop "the namespace $namespace exists already. Delete it first: kubectl --context $context delete namespace $namespace"
! grep -q "/certkeep-$cluster-" <<<"$roles" ||
  stop "a cluster is registered as $cluster already. Remove it first: certkeep clusters remove $cluster --revoke"
! grep -Eq '^ *stateBucket: *[^" ]' serverless.yml ||
  stop 'serverless.yml sets stateBucket. Run this in a fresh clone, since the bucket is deleted at the end.'

cat >&2 <<TEXT
Account $account, region $region: creates the stack certkeep-$stage and deletes it again, with all
its data. Cluster $context: creates the namespace $namespace and deletes it again, and registers
the cluster for the time of the test. It takes about 15 minutes and costs less than 1 USD.
TEXT
if [[ $yes = no ]]; then
  read -r -p 'Go on? [y/N] ' answer
  [[ $answer = y ]] || stop 'nothing was done.'
fi

work=$(mktemp -d)
chmod 700 "$work"

# What would tell whose account and cluster it was, and what is secret.
redact() {
  CONTEXT=$context SERVER=$server WORK=$work node -e '
    const { CONTEXT, SERVER, WORK, HOME } = process.env;
    const literals = [[SERVER, "SERVER"], [new URL(SERVER).host, "SERVER"], [new URL(SERVER).hostname, "SERVER"], [WORK, "WORK"], [process.cwd(), "CLONE"], [HOME, "~"], [CONTEXT, "CONTEXT"]];
    const patterns = [
      [/https?:\/\/[^\s"]*\/services\/[^\s"]*/g, "WEBHOOK"],
      [/AGE-SECRET-KEY-1[A-Z0-9]+/g, "IDENTITY"],
      [/eyJ[\w-]+\.[\w-]+\.[\w-]*/g, "TOKEN"],
      [/\b(AKIA|ASIA)[A-Z0-9]{16}\b/g, "ACCESS_KEY"],
      [/\b\d{12}\b/g, "ACCOUNT"],
      [/(-statebucket-)[a-z0-9]+/g, "$1…"],
      [/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, "UID"],
    ];
    process.on("SIGINT", () => {});
    require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
      for (const [found, shown] of literals) if (found) line = line.replaceAll(found, shown);
      for (const [found, shown] of patterns) line = line.replace(found, shown);
      console.log(line);
    });'
}

step() { printf '\n== %s\n' "$1"; }
run() {
  printf '$ %s\n' "$*"
  "$@"
}

# wait_for WHAT SECONDS COMMAND…: until the command succeeds.
wait_for() {
  local what=$1 end=$((SECONDS + $2))
  shift 2
  until "$@"; do
    if [[ $SECONDS -ge $end ]]; then
      printf 'failed: %s\n' "$what"
      return 1
    fi
    sleep 5
  done
  printf '%s: yes\n' "$what"
}

make_secret() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
    -subj '/CN=certkeep proof CA' -keyout "$work/ca.key" -out "$work/ca.crt" 2>/dev/null
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$name" \
    -keyout "$work/tls.key" -out "$work/tls.csr" 2>/dev/null
  printf 'subjectAltName=DNS:%s\nextendedKeyUsage=serverAuth\n' "$name" >"$work/extensions"
  openssl x509 -req -in "$work/tls.csr" -CA "$work/ca.crt" -CAkey "$work/ca.key" -CAcreateserial \
    -days 90 -extfile "$work/extensions" -out "$work/tls.crt" 2>/dev/null
  run kubectl create namespace "$namespace"
  run kubectl --namespace "$namespace" create secret tls proof-tls --cert "$work/tls.crt" --key "$work/tls.key"
}

configure() {
  local webhook=none
  [[ -z ${SLACK_WEBHOOK:-} ]] || webhook=env:SLACK_WEBHOOK
  run certkeep init --aws --yes --stage "$stage" --region "$region" --webhook "$webhook" \
    --identity-in-cloud --identity "$work/identity.txt"
  {
    printf 'issuers:\n  - id: proof\n    title: Proof\n    kind: production\n    anchors: |\n'
    sed 's/^/      /' "$work/ca.crt"
  } >>certkeep.yaml
}

backed_up() {
  [[ $(certkeep backups --json --config "$config" | node -p 'JSON.parse(require("node:fs").readFileSync(0)).copies.length') -gt 0 ]]
}
posted() {
  serverless invoke -f digest >"$work/digest.json" 2>&1
  # What else the doctor finds doesn't count here.
  { certkeep doctor --json --config "$config" || true; } |
    node -e 'process.exit(JSON.parse(require("node:fs").readFileSync(0)).lines.some((one) => one.id === "digest" && one.level === "pass") ? 0 : 1)'
}
secret_digest() {
  kubectl --namespace "$namespace" get secret proof-tls --output 'jsonpath={.data}' | openssl dgst -sha256
}

# Of the stack itself, also where it is only half deployed.
own_bucket() {
  aws cloudformation describe-stack-resource --stack-name "certkeep-$stage" \
    --logical-resource-id StateBucket --query StackResourceDetail.PhysicalResourceId \
    --output text 2>/dev/null || true
}

remove_bucket() {
  local bucket=$1 objects=$work/objects.json
  while aws s3api list-object-versions --bucket "$bucket" --max-items 500 --output json \
    --query '{Quiet: `true`, Objects: [Versions, DeleteMarkers][] | [].{Key: Key, VersionId: VersionId}}' >"$objects" &&
    grep -q '"Key"' "$objects"; do
    aws s3api delete-objects --bucket "$bucket" --delete "file://$objects" >/dev/null
  done
  aws s3api delete-bucket --bucket "$bucket"
}

# What there is by then, each alone: one that fails doesn't keep the others from being removed.
remove_all() {
  local code=$? left=0 secret
  trap - EXIT
  set +e
  step 'Remove everything'
  if [[ -n $config ]]; then
    run certkeep clusters remove "$cluster" --revoke --context "$context" --config "$config" || left=1
    [[ -n $shared ]] || run kubectl delete namespace certkeep --ignore-not-found --wait=false || left=1
  fi
  run kubectl delete namespace "$namespace" --ignore-not-found --wait=false || left=1
  bucket=$(own_bucket)
  [[ $(stack_exists) = no ]] || run serverless remove || left=1
  held=$(secrets) || left=1
  for secret in $held; do
    run aws secretsmanager delete-secret --secret-id "$secret" --force-delete-without-recovery --output text --query Name || left=1
  done
  if [[ -n $bucket ]]; then run remove_bucket "$bucket" || left=1; fi
  rm -rf certkeep.yaml "$work"
  if [[ $left -ne 0 ]]; then
    printf 'Something is left: see above. Delete it by hand (docs/get-started.md, Uninstall).\n'
    [[ $code -ne 0 ]] || code=1
  fi
  [[ $code -ne 0 ]] && printf '\nFAILED\n' || printf '\nPROVEN\n'
  exit "$code"
}

config='' bucket=''
prove() {
  trap remove_all EXIT
  printf 'certkeep %s on AWS, %s\n' "$(certkeep --version)" "$(date -u +%Y-%m-%dT%H:%MZ)"
  step 'A Secret to lose'
  make_secret
  step 'Configure'
  configure
  step 'Deploy'
  run serverless deploy
  bucket=$(own_bucket)
  config=s3://$bucket/certkeep.yaml
  run serverless invoke -f dispatch
  step 'Register'
  run certkeep clusters add "$cluster" --context "$context" --namespace "$namespace" \
    --parts secrets,parents,restore --yes --config "$config"
  step 'Audit and back up'
  run serverless invoke -f dispatch
  wait_for 'The Secret is backed up' 600 backed_up
  run certkeep report --config "$config" || true
  if [[ -n ${SLACK_WEBHOOK:-} ]]; then
    step 'Post a digest'
    wait_for 'A digest is in Slack' 900 posted
  fi
  step 'Lose the Secret'
  local before
  before=$(secret_digest)
  run kubectl --namespace "$namespace" delete secret proof-tls
  step 'Restore it with the function'
  local event="{\"cluster\":\"$cluster\",\"names\":[\"$name\"]}"
  run serverless invoke -f restore --data "$event"
  run serverless invoke -f restore --data "${event%\}},\"apply\":true}"
  [[ $(secret_digest) = "$before" ]] || {
    printf 'failed: the restored Secret differs from the lost one\n'
    return 1
  }
  printf 'The restored Secret holds the same bytes as the lost one.\n'
  step 'Drill'
  run serverless invoke -f drill
}

transcript=prove-on-aws-$(date -u +%Y%m%dT%H%MZ).txt
set +e
# An interrupt ends the steps, which then remove everything; what is written of it goes on.
(
  set -e
  prove
) </dev/null 2>&1 | (
  trap '' INT
  redact | tee "$transcript"
)
code=${PIPESTATUS[0]}
printf '\nTranscript: %s. Read it before you share it.\n' "$transcript"
exit "$code"
