#!/bin/sh
# openssl signs, curl sends. CURL_CA_BUNDLE names a private root certificate.
set -eu
base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }

now=$(date +%s)
jti=$(openssl rand -hex 16)
header=$(printf '{"typ":"JWT","alg":"RS256"}' | base64url)
claims=$(printf '{"iss":"client-1","sub":"client-1","aud":"%s","exp":%d,"iat":%d,"jti":"%s"}' \
  "$2" "$((now + 60))" "$now" "$jti" | base64url)
signature=$(printf '%s.%s' "$header" "$claims" | openssl dgst -sha256 -sign "$1" -binary | base64url)
curl --silent --show-error --fail "$2" \
  --data grant_type=client_credentials --data client_id=client-1 \
  --data client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer \
  --data "client_assertion=$header.$claims.$signature" |
  sed 's/.*"access_token":"\([^"]*\)".*/\1/'
