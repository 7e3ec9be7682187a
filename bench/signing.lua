-- Standard Webhooks for `load.lua`, by the library that `wrk` speaks TLS with: an HMAC-SHA256 over the id, the moment and
-- the body, in base64.
local ffi = require("ffi")
ffi.cdef [[
  const void *EVP_sha256(void);
  unsigned char *HMAC(const void *kind, const void *key, int size, const char *data, size_t length, unsigned char *into, unsigned int *made);
  int EVP_EncodeBlock(unsigned char *into, const unsigned char *data, int length);
  int EVP_DecodeBlock(unsigned char *into, const unsigned char *text, int length);
]]
local crypto = ffi.load("libcrypto.so.3")

return function(secret, prefix, headers)
  local key, mac, text = ffi.new("unsigned char[64]"), ffi.new("unsigned char[32]"), ffi.new("unsigned char[48]")
  crypto.EVP_DecodeBlock(key, secret, #secret)
  local sent = 0
  return function(body)
    sent = sent + 1
    local id, moment = prefix .. sent, tostring(os.time())
    local signed = id .. "." .. moment .. "." .. body
    crypto.HMAC(crypto.EVP_sha256(), key, 32, signed, #signed, mac, nil)
    crypto.EVP_EncodeBlock(text, mac, 32)
    headers["webhook-id"], headers["webhook-timestamp"] = id, moment
    headers["webhook-signature"] = "v1," .. ffi.string(text, 44)
  end
end
