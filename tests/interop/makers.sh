#!/usr/bin/env bash
# Writes key files to the current directory, each made with the usual commands of a program. A file name begins with the
# program. The passphrase of files named `encrypted` is `correct horse`.
#
#     makers.sh PYTHON
set -euo pipefail
here=$(dirname "$(realpath "$0")")
pass='correct horse'

# ---- openssl ----

openssl genrsa -out openssl-genrsa.pem 2048
openssl genrsa -traditional -out openssl-pkcs1.pem 3072
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:4096 -out openssl-pkcs8.pem
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_keygen_pubexp:3 -out openssl-exponent-3.pem
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_keygen_primes:3 -out openssl-3-primes.pem
openssl rsa -in openssl-genrsa.pem -traditional -outform DER -out openssl-pkcs1.der
openssl pkcs8 -topk8 -nocrypt -in openssl-genrsa.pem -outform DER -out openssl-pkcs8.der
openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=maker -keyout openssl-req.pem -out openssl-certificate.pem
openssl genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -out openssl-pss.pem
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out openssl-ec.pem

encrypt() { # encrypt NAME OPTION...
  openssl pkcs8 -topk8 -in openssl-genrsa.pem -passout "pass:$pass" -out "openssl-encrypted-$1.pem" "${@:2}"
}
for cipher in aes-128-cbc aes-192-cbc aes-256-cbc; do
  for prf in SHA1 SHA224 SHA256 SHA384 SHA512; do
    encrypt "$cipher-$prf" -v2 "$cipher" -v2prf "hmacWith$prf"
  done
  encrypt "$cipher-scrypt" -v2 "$cipher" -scrypt
done
encrypt defaults
encrypt aes-256-cbc-SHA512-256 -v2 aes-256-cbc -v2prf hmacWithSHA512-256
encrypt des3-SHA256 -v2 des3 -v2prf hmacWithSHA256
encrypt camellia-256-cbc-SHA256 -v2 camellia-256-cbc -v2prf hmacWithSHA256
encrypt des3-SHA1 -v2 des3 -v2prf hmacWithSHA1
encrypt PBE-SHA1-3DES -v1 PBE-SHA1-3DES
encrypt PBE-MD5-DES -v1 PBE-MD5-DES -provider legacy -provider default
openssl genrsa -des3 -passout "pass:$pass" -out openssl-encrypted-genrsa-des3.pem 2048
openssl pkcs8 -topk8 -in openssl-genrsa.pem -passout "pass:$pass" -outform DER -out openssl-encrypted.der
openssl rsa -in openssl-genrsa.pem -traditional -aes256 -passout "pass:$pass" -out openssl-encrypted-proc-type.pem

openssl rsa -in openssl-genrsa.pem -traditional -des3 -passout "pass:$pass" -out openssl-encrypted-proc-type-des3.pem
store() { # store NAME OPTION...
  openssl pkcs12 -export -inkey openssl-req.pem -in openssl-certificate.pem -passout "pass:$pass" \
    -out "openssl-encrypted-$1.p12" "${@:2}"
}
store pkcs12
store pkcs12-legacy -legacy
store pkcs12-windows -certpbe PBE-SHA1-3DES -keypbe PBE-SHA1-3DES -macalg sha1

# ---- ssh-keygen ----

ssh() { ssh-keygen -q -t rsa -b 2048 -C '' -f "$@"; }
ssh ssh-pkcs1.pem -m PEM -N ''
ssh ssh-pkcs8.pem -m PKCS8 -N ''
ssh ssh-encrypted-pkcs8.pem -m PKCS8 -N "$pass"
ssh ssh-encrypted-proc-type.pem -m PEM -N "$pass"
ssh ssh-own.pem -N ''
cp ssh-own.pem ssh-converted.pem
ssh-keygen -q -p -m PEM -P '' -N '' -f ssh-converted.pem >/dev/null

# ---- keytool ----

keytool -genkeypair -alias maker -keyalg RSA -keysize 2048 -dname CN=maker -storetype PKCS12 \
  -keystore keytool-encrypted.p12 -storepass "$pass"
openssl pkcs12 -in keytool-encrypted.p12 -passin "pass:$pass" -nodes -nocerts -out keytool-key.pem
openssl pkcs12 -in keytool-encrypted.p12 -passin "pass:$pass" -nodes -out keytool-key-and-certificate.pem
openssl pkcs12 -in keytool-encrypted.p12 -passin "pass:$pass" -passout "pass:$pass" -nocerts -out keytool-encrypted.pem

keytool -J-Dkeystore.pkcs12.legacy -genkeypair -alias maker -keyalg RSA -keysize 2048 -dname CN=maker -storetype PKCS12 \
  -keystore keytool-encrypted-legacy.p12 -storepass "$pass"

# ---- cryptography, Node ----

"$1" "$here/makers.py"
node "$here/makers.mjs"
