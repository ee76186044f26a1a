#!/usr/bin/env bash
# Makes the files beside it: keys for tests only, encrypted as other programs encrypt them.
#
#     apt-get install openssl openssh-client python3 default-jre-headless
#     bash tests/data/keys/encrypted/make.sh
#
# Made with OpenSSL 3.0, OpenSSH 9.2 and keytool of OpenJDK 17. The passphrase is `correct horse`, unless the name of a
# file says another.
set -euo pipefail
cd "$(dirname "$0")"
scratch=$(mktemp -d)
trap 'rm -r "$scratch"' EXIT
pass='pass:correct horse'
legacy=(-provider legacy -provider default)

# The key of RFC 7515 §A.2, and keys of other kinds.
rfc=$scratch/rfc7515.pem
python3 -c 'import json; print(json.load(open("../../vectors.json"))["key"]["pkcs1_pem"], end="")' >"$rfc"
openssl pkey -in ../ec-pkcs8.pem -traditional -out "$scratch/ec.pem"

# ---- PKCS#8 ----

pkcs8() { # pkcs8 NAME OPTION...
  openssl pkcs8 -topk8 -in "${key:-$rfc}" -passout "$pass" -out "pkcs8-$1.pem" "${@:2}"
}
# hmacWithSHA1 is what Box writes, hmacWithSHA256 what the command in Snowflake's documents writes.
for prf in hmacWithSHA1 hmacWithSHA224 hmacWithSHA256 hmacWithSHA384 hmacWithSHA512; do
  pkcs8 "des3-${prf#hmacWith}" -v2 des3 -v2prf "$prf"
done
pkcs8 des3-scrypt -v2 des3 -scrypt
key=../ec-pkcs8.pem pkcs8 ec -v2 des3
key=../ed25519.pem pkcs8 ed25519 -v2 aes-256-cbc
for scheme in PBE-MD5-DES PBE-SHA1-DES PBE-SHA1-3DES PBE-SHA1-2DES \
  PBE-MD5-RC2-64 PBE-SHA1-RC2-64 PBE-SHA1-RC2-128 PBE-SHA1-RC2-40 PBE-SHA1-RC4-128 PBE-SHA1-RC4-40; do
  pkcs8 "$scheme" -v1 "$scheme" "${legacy[@]}"
done
pkcs8 PBE-SHA1-3DES-one-round -v1 PBE-SHA1-3DES -iter 1
pkcs8 PBE-SHA1-3DES-slow -v1 PBE-SHA1-3DES -iter 2000001
pkcs8 camellia -v2 camellia-256-cbc
pkcs8 des -v2 des-cbc "${legacy[@]}"
pkcs8 rc2 -v2 rc2-cbc "${legacy[@]}"

# ---- PEM with Proc-Type ----

for cipher in aes128 aes192 aes256 des3 des rc2 bf seed camellia256; do
  openssl rsa -in "$rfc" -traditional "-$cipher" -passout "$pass" "${legacy[@]}" -out "proc-type-$cipher.pem"
done
openssl ec -in "$scratch/ec.pem" -aes128 -passout "$pass" -out proc-type-ec.pem
openssl ecparam -name prime256v1 -out proc-type-ec-parameters.pem
cat proc-type-ec.pem >>proc-type-ec-parameters.pem
# OpenSSL reads PKCS#8 in such a block, though none of its commands writes it.
iv=$(openssl rand -hex 16)
openssl pkcs8 -topk8 -nocrypt -in "$rfc" -outform DER -out "$scratch/rfc7515.der"
{
  printf -- '-----BEGIN PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,%s\n\n' "${iv^^}"
  openssl enc -aes-256-cbc -md md5 -k 'correct horse' -S "${iv:0:16}" -iv "$iv" -base64 -in "$scratch/rfc7515.der" 2>/dev/null
  echo '-----END PRIVATE KEY-----'
} >proc-type-pkcs8.pem
install -m 600 "$rfc" proc-type-ssh-keygen.pem
ssh-keygen -q -p -m PEM -P '' -N 'correct horse' -f proc-type-ssh-keygen.pem

# ---- PKCS#12 ----

pfx() { # pfx NAME PASSPHRASE OPTION...
  openssl pkcs12 -export -inkey "${key:-$rfc}" -in "${certificate:-../certificate.pem}" -passout "pass:$2" -out "pkcs12-$1.p12" "${@:3}"
}
windows=(-certpbe PBE-SHA1-3DES -keypbe PBE-SHA1-3DES -macalg sha1)
pfx openssl3 'correct horse' -name 'a key'
pfx openssl1 'correct horse' -legacy
pfx windows 'correct horse' "${windows[@]}"
pfx openssl3-empty ''
pfx openssl1-empty '' -legacy
pfx windows-empty '' "${windows[@]}"
pfx openssl3-non-ascii 'pässwörd 🔑'
pfx windows-non-ascii 'pässwörd 🔑' "${windows[@]}"
printf 'p\xe4ssw\xf6rd' >"$scratch/latin-1"
openssl pkcs12 -export -inkey "$rfc" -in ../certificate.pem -passout "file:$scratch/latin-1" "${windows[@]}" -out pkcs12-windows-latin-1.p12
pfx key-first 'correct horse' -certpbe NONE
pfx key-plain 'correct horse' -keypbe NONE -certpbe NONE
pfx no-mac 'correct horse' -nomac
pfx sha512 'correct horse' -macalg sha512
pfx sha384 'correct horse' -macalg sha384
pfx sha224 'correct horse' -macalg sha224
pfx rc2 'correct horse' -legacy -keypbe PBE-SHA1-RC2-40
pfx one-round 'correct horse' -legacy -iter 1
pfx slow 'correct horse' -iter 2000001 -macalg sha1
pfx slow-key 'correct horse' -iter 2000001 -keypbe PBE-SHA1-3DES -certpbe NONE -nomac
openssl req -x509 -key ../ec-pkcs8.pem -subj /CN=jwt-bearer -days 36500 -out "$scratch/ec-certificate.pem"
key=../ec-pkcs8.pem certificate=$scratch/ec-certificate.pem pfx ec 'correct horse'
openssl pkcs12 -export -nokeys -in ../certificate.pem -passout "$pass" -out pkcs12-certificate.p12
openssl pkcs12 -export -nokeys -in ../certificate.pem -passout pass: -out pkcs12-certificate-empty.p12
# A null pointer in place of a passphrase.
python3 no_passphrase.py "$scratch/rfc7515.der" pkcs12-no-passphrase.p12

java() { # java NAME OPTION...: the store as Java 17 writes it, or Java 8
  keytool "${@:2}" -importkeystore -noprompt -srckeystore pkcs12-openssl3.p12 -srcstorepass 'correct horse' \
    -srcalias 'a key' -destalias "${alias:-a key}" -deststorepass 'correct horse' -deststoretype PKCS12 -destkeystore "pkcs12-$1.p12" 2>/dev/null
}
java java17
java java8 -J-Dkeystore.pkcs12.legacy
alias=first java two-keys
keytool -genkeypair -alias second -keyalg RSA -keysize 3072 -dname CN=second -storetype PKCS12 \
  -keystore pkcs12-two-keys.p12 -storepass 'correct horse' 2>/dev/null
keytool -importcert -noprompt -alias ca -file ../certificate.pem -storetype PKCS12 \
  -keystore pkcs12-truststore.p12 -storepass 'correct horse' 2>/dev/null
chmod 644 ./*
