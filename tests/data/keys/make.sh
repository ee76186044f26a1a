#!/usr/bin/env bash
# Makes the files beside it: keys for tests only, and files that people mistake for keys.
#
#     apt-get install openssl openssh-client putty-tools python3 default-jre-headless
#     bash tests/data/keys/make.sh
#
# Made with OpenSSL 3.0, OpenSSH 9.2, PuTTY 0.78 and keytool of OpenJDK 17. The large keys take minutes.
set -euo pipefail
cd "$(dirname "$0")"
scratch=$(mktemp -d)
trap 'rm -r "$scratch"' EXIT

# The key of RFC 7515 §A.2, for all files that have the same key in different formats.
rfc=$scratch/rfc7515.pem
python3 -c 'import json; print(json.load(open("../vectors.json"))["key"]["pkcs1_pem"], end="")' >"$rfc"

# Files that are not private keys.
openssl req -x509 -key "$rfc" -subj /CN=jwt-bearer -days 36500 -out certificate.pem
openssl req -new -key "$rfc" -subj /CN=jwt-bearer -out request.pem
openssl x509 -req -in request.pem -key "$rfc" -days 36500 -out certificate-v1.pem
openssl rsa -in "$rfc" -RSAPublicKey_out -out public-pkcs1.pem

# Keys of other kinds; ec.pem has EC PARAMETERS in front.
openssl ecparam -name prime256v1 -genkey -out ec.pem
openssl pkcs8 -topk8 -nocrypt -in ec.pem -out ec-pkcs8.pem
openssl genpkey -quiet -algorithm ED25519 -out ed25519.pem
openssl genpkey -quiet -algorithm X25519 -out x25519.pem
openssl genpkey -quiet -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -out rsa-pss.pem
openssl genpkey -quiet -genparam -algorithm DSA -pkeyopt dsa_paramgen_bits:1024 \
  -out "$scratch/dsa.pem"
openssl genpkey -quiet -paramfile "$scratch/dsa.pem" | openssl pkey -traditional -out dsa.pem

# The RFC's key in other programs' formats.
install -m 600 "$rfc" openssh.pem # ssh-keygen refuses one that others can read
ssh-keygen -q -p -P '' -N '' -f openssh.pem
puttygen "$rfc" -O private --new-passphrase /dev/null -C jwt-bearer -o putty.ppk
openssl rsa -traditional -in "$rfc" -aes256 -passout 'pass:correct horse' -out proc-type.pem

# A store with the key and its certificate, and a key that has a third prime.
openssl pkcs12 -export -inkey "$rfc" -in certificate.pem -passout 'pass:correct horse' -out store.p12
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_keygen_primes:3 \
  -out 3-primes.pem

# Sizes, and what OpenSSL signs with them.
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out rsa-1024.pem
for bits in 2047 2048 3072 4096 8192 8200 16384; do
  openssl genpkey -quiet -algorithm RSA -pkeyopt "rsa_keygen_bits:$bits" \
    -outform DER -out "rsa-$bits.der"
done
for bits in 2048 3072 4096 8192; do
  printf 'header.claims' |
    openssl dgst -sha256 -sign "rsa-$bits.der" -keyform DER -out "rsa-$bits.sig"
done

# The RFC's key under a passphrase, each block with its encryption in the line before.
sealed() {
  echo "$1"
  openssl pkcs8 -topk8 -in "$rfc" -passout "pass:$2" "${@:3}"
}
{
  for cipher in aes-128-cbc aes-192-cbc aes-256-cbc; do
    for prf in hmacWithSHA1 hmacWithSHA224 hmacWithSHA256 hmacWithSHA384 hmacWithSHA512; do
      sealed "$cipher $prf" 'correct horse' -v2 "$cipher" -v2prf "$prf"
    done
    sealed "$cipher scrypt" 'correct horse' -v2 "$cipher" -scrypt
  done
  sealed 'des3 hmacWithSHA256' 'correct horse' -v2 des3 -v2prf hmacWithSHA256
  for pbe in PBE-MD5-DES PBE-SHA1-RC2-64 PBE-SHA1-3DES; do
    sealed "$pbe" 'correct horse' -v1 "$pbe" -provider legacy -provider default
  done
  sealed 'one iteration' 'correct horse' -v2 aes-256-cbc -iter 1
  sealed 'non-ASCII passphrase' 'pässwörd' -v2 aes-256-cbc
  sealed 'empty passphrase' '' -v2 aes-256-cbc
} >encrypted.txt

# One round more than is accepted.
openssl genrsa 2048 | openssl pkcs8 -topk8 -v2 aes-128-cbc -v2prf hmacWithSHA256 \
  -iter 2000001 -passout 'pass:correct horse' -out slow.pem
# The store as Java writes it, and the key as Windows and a browser write it.
for type in JKS JCEKS; do
  keytool -importkeystore -noprompt -srckeystore store.p12 -srcstoretype PKCS12 \
    -srcstorepass 'correct horse' -deststoretype "$type" -deststorepass 'correct horse' \
    -destkeystore "store.${type,,}"
done
openssl rsa -in "$rfc" -outform PVK -pvk-none -out rsa.pvk
openssl rsa -in "$rfc" -outform MSBLOB -out rsa.blob
gzip -9 -n <"$rfc" >rsa.pem.gz

# Numbers and encodings that OpenSSL does not write.
python3 odd_keys.py

# Public halves.
for key in rsa-2048 rsa-8192 e-3; do
  openssl pkey -inform DER -in "$key.der" -pubout -out "$key.pub.pem"
done
chmod 644 ./*

# Keys on curves, in the other formats, and what OpenSSL derives from them.
openssl ecparam -name secp384r1 -genkey -noout -out ec-384.pem
openssl pkcs8 -topk8 -nocrypt -in ec-384.pem -out ec-384-pkcs8.pem
openssl ecparam -name secp521r1 -genkey -noout -out ec-521.pem
openssl ecparam -name secp256k1 -genkey -noout -out ec-secp256k1.pem
openssl ec -in ec.pem -no_public -out ec-no-public.pem
openssl ec -in ec.pem -conv_form compressed -out ec-compressed.pem
for key in ec ec-384 ed25519; do
  openssl pkey -in "$key.pem" -pubout -out "$key.pub.pem"
done
for bits in 384 512; do
  printf 'header.claims' |
    openssl dgst "-sha$bits" -sign rsa-2048.der -keyform DER -out "rsa-2048.sha$bits.sig"
done
openssl genpkey -quiet -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 \
  -pkeyopt rsa_pss_keygen_md:sha384 -pkeyopt rsa_pss_keygen_mgf1_md:sha384 -pkeyopt rsa_pss_keygen_saltlen:48 \
  -out rsa-pss-sha384.pem
openssl genpkey -quiet -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 \
  -pkeyopt rsa_pss_keygen_md:sha1 -pkeyopt rsa_pss_keygen_mgf1_md:sha1 -pkeyopt rsa_pss_keygen_saltlen:20 \
  -out rsa-pss-sha1.pem
# ES256 over `header.claims` in DER, as a KMS returns it.
printf 'header.claims' | openssl dgst -sha256 -sign ec.pem -out ec.der.sig

# Keys that are refused, or nearly.
openssl ecparam -name prime256v1 -genkey -noout | openssl pkey -pubout -out ec-2.pub.pem
openssl ec -in ec.pem -param_enc explicit -out ec-explicit.pem
openssl genpkey -quiet -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_pss_keygen_md:sha256 \
  -pkeyopt rsa_pss_keygen_mgf1_md:sha1 -pkeyopt rsa_pss_keygen_saltlen:32 -out rsa-pss-mgf1-sha1.pem
openssl genpkey -quiet -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_pss_keygen_md:sha256 \
  -pkeyopt rsa_pss_keygen_mgf1_md:sha256 -pkeyopt rsa_pss_keygen_saltlen:64 -out rsa-pss-salt-64.pem
# Two primes of 1024 bits, whose product has 2047.
python3 - >"$scratch/2047.asn1" <<'END'
import secrets
def prime():
    while True:  # the second bit is 0, so that the product is short
        p = 1 << 1023 | secrets.randbits(1022) | 1
        if (p - 1) % 65537 and all(pow(a, p - 1, p) == 1 for a in (2, 3, 5)):
            return p
p, q = prime(), prime()
while (p * q).bit_length() != 2047:
    q = prime()
d = pow(65537, -1, (p - 1) * (q - 1))
numbers = [0, p * q, 65537, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p)]
print("asn1=SEQUENCE:key\n[key]", *(f"n{i}=INTEGER:{n:#x}" for i, n in enumerate(numbers)), sep="\n")
END
openssl asn1parse -genconf "$scratch/2047.asn1" -noout -out rsa-2047-of-1024.der
