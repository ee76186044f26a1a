#!/usr/bin/env bash
# An access token with only curl and openssl: client_credentials or the jwt-bearer grant.
#
# The environment gives the parameters and the mistakes to make. Prints status and body.
set -euo pipefail

base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
member() { [ -z "$2" ] || printf ',"%s":"%s"' "$1" "$2"; }

now=$(($(date +%s) + ${SHIFT:-0}))
header=$(printf '{"alg":"%s","typ":"JWT"}' "$ALG" | base64url)
claims=$({
  printf '{"iss":"%s","exp":%d,"iat":%d' "$CLIENT" $((now + ${LIFETIME:-60})) $now
  member sub "${SUBJECT:-$CLIENT}"
  member aud "$AUDIENCE"
  member jti "${JTI-$(openssl rand -hex 16)}"
  printf '}'
} | base64url)

case $ALG in
  RS*) sign=(-sign "$KEY") ;;
  HS*) sign=(-binary -mac HMAC -macopt "hexkey:$(printf %s "$SECRET" | od -An -v -tx1 | tr -d ' \n')") ;;
esac
signature=$(printf %s "$header.$claims" | openssl dgst "-sha${ALG:2}" "${sign[@]}" | base64url)
assertion=${ASSERTION-$header.$claims.$signature}

case $GRANT in
  client_credentials)
    parameters=(--data-urlencode 'grant_type=client_credentials' --data-urlencode "client_id=$CLIENT"
      --data-urlencode 'client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
      --data-urlencode "client_assertion=$assertion") ;;
  jwt-bearer)
    parameters=(--data-urlencode 'grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer'
      --data-urlencode "assertion=$assertion") ;;
esac
[ -z "${SCOPE-}" ] || parameters+=(--data-urlencode "scope=$SCOPE")
curl --silent --show-error --noproxy '*' -X POST "${parameters[@]}" --write-out '\n%{http_code}\n' "$URL" |
  { mapfile -t lines; printf '%s\n%s\n' "${lines[1]}" "${lines[0]}"; }
