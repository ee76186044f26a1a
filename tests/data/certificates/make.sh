#!/usr/bin/env bash
# Makes the certificates beside it, for keys in ../keys and ../jwk, and their fingerprints.
#
#     apt-get install openssl
#     bash tests/data/certificates/make.sh
#
# Made with OpenSSL 3.0.
set -euo pipefail
cd "$(dirname "$0")"
scratch=$(mktemp -d)
trap 'rm -r "$scratch"' EXIT

for key in ec-pkcs8 ed25519 rsa-pss; do
  openssl req -x509 -key "../keys/$key.pem" -subj "/CN=$key" -days 36500 -out "$key.pem"
done
openssl req -x509 -key ../jwk/p-384.pem -subj /CN=p-384 -days 36500 -out p-384.pem

# The certificate of ../keys/rsa-2048.der by an authority of its own, with that authority's certificate.
openssl rsa -in ../keys/rsa-2048.der -inform DER -out "$scratch/key.pem"
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$scratch/authority.pem" -subj /CN=authority \
  -days 36500 -out "$scratch/root.pem"
openssl req -new -key "$scratch/key.pem" -subj /CN=leaf -out "$scratch/request.pem"
openssl x509 -req -in "$scratch/request.pem" -CA "$scratch/root.pem" -CAkey "$scratch/authority.pem" \
  -CAcreateserial -days 36500 -out leaf.pem
openssl x509 -in leaf.pem -outform DER -out leaf.der
openssl x509 -in leaf.pem -trustout -setalias leaf -addtrust clientAuth -out trusted.pem
openssl crl2pkcs7 -nocrl -certfile leaf.pem -out leaf.p7b.pem
openssl crl2pkcs7 -nocrl -certfile leaf.pem -outform DER -out leaf.p7b
openssl pkcs12 -export -inkey "$scratch/key.pem" -in leaf.pem -certfile "$scratch/root.pem" \
  -passout pass: -out "$scratch/store.p12"
openssl pkcs12 -in "$scratch/store.p12" -passin pass: -nodes -out exported.pem

for file in ec-pkcs8 ed25519 leaf p-384 rsa-pss; do
  for hash in sha1 sha256; do
    echo "$file $hash $(openssl x509 -in "$file.pem" -noout -fingerprint "-$hash" | cut -d = -f 2)"
  done
done >fingerprints.txt
echo "certificate sha256 $(openssl x509 -in ../keys/certificate.pem -noout -fingerprint -sha256 | cut -d = -f 2)" >>fingerprints.txt
