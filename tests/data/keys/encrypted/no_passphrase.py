"""Writes a PKCS#12 store whose passphrase is a null pointer, as some programs have it for "no passphrase".

    no_passphrase.py KEY.der STORE.p12

Calls PKCS12_create of OpenSSL's library, since none of its commands does this.
"""
import ctypes
import ctypes.util
import sys

crypto = ctypes.CDLL(ctypes.util.find_library("crypto"))
for name in ("d2i_AutoPrivateKey", "PKCS12_create", "BIO_new_file"):
    getattr(crypto, name).restype = ctypes.c_void_p

key = open(sys.argv[1], "rb").read()
pointer = ctypes.c_char_p(key)
private = crypto.d2i_AutoPrivateKey(None, ctypes.byref(pointer), ctypes.c_long(len(key)))
TRIPLE_DES = 146  # NID_pbe_WithSHA1And3_Key_TripleDES_CBC
store = crypto.PKCS12_create(None, None, ctypes.c_void_p(private), None, None, TRIPLE_DES, -1, 2048, 2048, 0)
assert private and store
file = crypto.BIO_new_file(sys.argv[2].encode(), b"wb")
assert crypto.i2d_PKCS12_bio(ctypes.c_void_p(file), ctypes.c_void_p(store)) == 1
crypto.BIO_free_all(ctypes.c_void_p(file))
