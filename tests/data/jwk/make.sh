#!/usr/bin/env bash
# Makes the JWKs beside it that are not printed in an RFC: openssl makes the keys, node writes them as JWKs.
#
#     apt-get install openssl nodejs
#     bash tests/data/jwk/make.sh
#
# Made with OpenSSL 3.0 and node 20. rfc*.json are the JWKs that RFC 7515, 7517 and 8037 print.
set -euo pipefail
cd "$(dirname "$0")"
scratch=$(mktemp -d)
trap 'rm -r "$scratch"' EXIT

jwk() {
  node -e '
    const { createPrivateKey } = require("node:crypto");
    const key = createPrivateKey(require("node:fs").readFileSync(process.argv[1]));
    console.log(JSON.stringify(key.export({ format: "jwk" }), null, 2));
  ' "$1" >"$2"
}

# Keys of ../keys, which are there in PEM or DER.
openssl rsa -in ../keys/rsa-2048.der -inform DER -out "$scratch/rsa.pem"
jwk "$scratch/rsa.pem" rsa-2048.json
jwk ../keys/ec-pkcs8.pem p-256.json
jwk ../keys/ed25519.pem ed25519.json
jwk ../keys/x25519.pem x25519.json

for curve in secp384r1:p-384 secp521r1:p-521 secp256k1:secp256k1; do
  openssl ecparam -name "${curve%:*}" -genkey -noout -out "$scratch/ec.pem"
  openssl pkcs8 -topk8 -nocrypt -in "$scratch/ec.pem" -out "$scratch/pkcs8.pem"
  jwk "$scratch/pkcs8.pem" "${curve#*:}.json"
  if [ "${curve#*:}" = p-384 ]; then install -m 644 "$scratch/pkcs8.pem" p-384.pem; fi
done
openssl genpkey -quiet -algorithm ED448 -out "$scratch/ed448.pem"
jwk "$scratch/ed448.pem" ed448.json
