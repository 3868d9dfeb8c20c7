#!/bin/sh
# Puts a job into the queue `emails` over HTTP. The key makes it safe to send this again after a lost answer.
#
#   PIPELINE_TOKEN=... sh enqueue.sh order-17
set -eu

url="${PIPELINE_HTTP_URL:-http://127.0.0.1:9400}"
order="${1:?give the number of an order: order-17}"

# -f: an answer that says no ends with an error. The token goes in by the input, so that no list of processes shows it.
curl -fsS --max-time 10 --retry 3 \
  --config - \
  --header "Content-Type: application/json" \
  --header "Idempotency-Key: confirm-$order" \
  --data "{\"job\": \"order-confirmed\", \"data\": {\"order\": \"$order\"}}" \
  "$url/api/v1/queues/emails/jobs" <<END
header = "Authorization: Bearer ${PIPELINE_TOKEN:?the token of a user or a program, with the role operator}"
END
echo
