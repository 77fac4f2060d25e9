// SPDX-License-Identifier: Apache-2.0
#include "common/sys/crypto.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/param_build.h>
#include <openssl/params.h>
#include <openssl/pem.h>

#include <array>

#include "common/base/check.h"
#include "common/sys/handle.h"
#include "common/sys/octets.h"

namespace sys {

namespace {

using CipherContext = Handle<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>;
using DigestContext = Handle<EVP_MD_CTX, EVP_MD_CTX_free>;
using EcSignature = Handle<ECDSA_SIG, ECDSA_SIG_free>;
using Kdf = Handle<EVP_KDF, EVP_KDF_free>;
using KdfContext = Handle<EVP_KDF_CTX, EVP_KDF_CTX_free>;
using KeyContext = Handle<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using Key = Handle<EVP_PKEY, EVP_PKEY_free>;
using MemoryBio = Handle<BIO, BIO_free_all>;
using Number = Handle<BIGNUM, BN_free>;
using ParamBuilder = Handle<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free>;
using Params = Handle<OSSL_PARAM, OSSL_PARAM_free>;

constexpr std::size_t kCoordinate = 32;
constexpr std::size_t kNonce = 12;
constexpr std::size_t kTag = 16;
constexpr std::uint64_t kScryptBytesMax = std::uint64_t{256} << 20;

base::Error crypto_error(std::string_view what) {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  ERR_clear_error();
  return {base::Code::internal, std::string(what) + ": " + text.data(), "tls_failed"};
}

base::Error key_error(std::string_view what) {
  ERR_clear_error();
  return {base::Code::invalid_argument, std::string(what), "key_invalid"};
}

}  // namespace

base::Result<std::string> scrypt(std::string_view password, std::string_view salt, ScryptCost cost,
                                 std::size_t length) {
  const bool power_of_two = cost.n >= 2 && (cost.n & (cost.n - 1)) == 0;
  if (!power_of_two || cost.n > (1 << 20) || cost.r == 0 || cost.r > 64 || cost.p == 0 ||
      cost.p > 64 || 128 * cost.n * cost.r > kScryptBytesMax || length == 0 || length > 128) {
    return base::Error{base::Code::invalid_argument, "these parameters of scrypt are not used",
                       "password_cost_invalid"};
  }
  const Kdf kdf(EVP_KDF_fetch(nullptr, "SCRYPT", nullptr));
  const KdfContext context(kdf ? EVP_KDF_CTX_new(kdf.get()) : nullptr);
  if (!context) return crypto_error("scrypt");
  std::uint64_t memory = kScryptBytesMax + (16 << 20);
  // OpenSSL takes the inputs as pointers to bytes it only reads.
  std::array<OSSL_PARAM, 7> params = {
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PASSWORD, const_cast<char*>(password.data()),
                                        password.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, const_cast<char*>(salt.data()),
                                        salt.size()),
      OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &cost.n),
      OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &cost.r),
      OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &cost.p),
      OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &memory),
      OSSL_PARAM_construct_end()};
  std::string out(length, '\0');
  if (EVP_KDF_derive(context.get(), octets(out), out.size(), params.data()) != 1) {
    return crypto_error("scrypt");
  }
  return out;
}

std::string hmac_sha256(std::string_view key, std::string_view text) {
  std::string out(32, '\0');
  unsigned int length = 0;
  CHECK_THAT(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), octets(text), text.size(),
                  octets(out), &length) != nullptr);
  return out;
}

struct EcKey::State {
  Key key;
};

EcKey::EcKey(std::unique_ptr<State> state) : state_(std::move(state)) {}
EcKey::EcKey(EcKey&&) noexcept = default;
EcKey& EcKey::operator=(EcKey&&) noexcept = default;
EcKey::~EcKey() = default;

base::Result<EcKey> EcKey::generate() {
  Key key(EVP_EC_gen("P-256"));
  if (!key) return crypto_error("make a key");
  return EcKey(std::make_unique<State>(State{std::move(key)}));
}

base::Result<EcKey> EcKey::from_private_pem(std::string_view pem) {
  const MemoryBio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  if (!bio) return crypto_error("read a key");
  // No password: a callback that gives none, so that OpenSSL never asks a terminal.
  const auto no_password = [](char*, int, int, void*) noexcept { return 0; };
  Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
  if (!key) return key_error("this is no private key in PEM");
  std::array<char, 64> group{};
  std::size_t length = 0;
  if (EVP_PKEY_get_group_name(key.get(), group.data(), group.size(), &length) != 1 ||
      std::string_view(group.data(), length) != "prime256v1") {
    return key_error("the key is not of the curve P-256");
  }
  return EcKey(std::make_unique<State>(State{std::move(key)}));
}

base::Result<EcKey> EcKey::from_point(std::string_view x, std::string_view y) {
  if (x.size() != kCoordinate || y.size() != kCoordinate) {
    return key_error("a coordinate of P-256 has 32 bytes");
  }
  const std::string point = "\x04" + std::string(x) + std::string(y);
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  if (!builder ||
      OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                       point.size()) != 1) {
    return crypto_error("read a key");
  }
  const Params params(OSSL_PARAM_BLD_to_param(builder.get()));
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  EVP_PKEY* raw = nullptr;
  if (!params || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &raw, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) {
    EVP_PKEY_free(raw);
    return key_error("the point is not on the curve P-256");
  }
  return EcKey(std::make_unique<State>(State{Key(raw)}));
}

base::Result<base::Secret> EcKey::private_pem() const {
  const MemoryBio bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_PKCS8PrivateKey(bio.get(), state_->key.get(), nullptr, nullptr, 0,
                                            nullptr, nullptr) != 1) {
    return crypto_error("write a key");
  }
  char* text = nullptr;
  const long length = BIO_get_mem_data(bio.get(), &text);
  return base::Secret(std::string(text, static_cast<std::size_t>(length)));
}

base::Result<EcKey::Point> EcKey::point() const {
  BIGNUM *x = nullptr, *y = nullptr;
  const bool found = EVP_PKEY_get_bn_param(state_->key.get(), OSSL_PKEY_PARAM_EC_PUB_X, &x) == 1 &&
                     EVP_PKEY_get_bn_param(state_->key.get(), OSSL_PKEY_PARAM_EC_PUB_Y, &y) == 1;
  const Number own_x(x), own_y(y);
  if (!found) return crypto_error("read the point of a key");
  Point out{std::string(kCoordinate, '\0'), std::string(kCoordinate, '\0')};
  if (BN_bn2binpad(x, octets(out.x), kCoordinate) < 0 ||
      BN_bn2binpad(y, octets(out.y), kCoordinate) < 0) {
    return crypto_error("read the point of a key");
  }
  return out;
}

base::Result<std::string> EcKey::sign(std::string_view text) const {
  const DigestContext context(EVP_MD_CTX_new());
  std::array<unsigned char, 128> der{};
  std::size_t length = der.size();
  if (!context ||
      EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, state_->key.get()) != 1 ||
      EVP_DigestSign(context.get(), der.data(), &length, octets(text), text.size()) != 1) {
    return crypto_error("sign");
  }
  const unsigned char* at = der.data();
  const EcSignature signature(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(length)));
  std::string out(2 * kCoordinate, '\0');
  if (!signature || BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), octets(out), kCoordinate) < 0 ||
      BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), octets(out) + kCoordinate, kCoordinate) < 0) {
    return crypto_error("sign");
  }
  return out;
}

bool EcKey::verify(std::string_view text, std::string_view signature) const {
  if (signature.size() != 2 * kCoordinate) return false;
  const EcSignature parts(ECDSA_SIG_new());
  Number r(BN_bin2bn(octets(signature), kCoordinate, nullptr));
  Number s(BN_bin2bn(octets(signature) + kCoordinate, kCoordinate, nullptr));
  if (!parts || !r || !s || ECDSA_SIG_set0(parts.get(), r.get(), s.get()) != 1) return false;
  // The signature owns both numbers since it was set.
  (void)r.release();
  (void)s.release();
  std::array<unsigned char, 128> der{};
  unsigned char* at = der.data();
  const int length = i2d_ECDSA_SIG(parts.get(), &at);
  const DigestContext context(EVP_MD_CTX_new());
  const bool valid =
      length > 0 && context &&
      EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, state_->key.get()) == 1 &&
      EVP_DigestVerify(context.get(), der.data(), static_cast<std::size_t>(length), octets(text),
                       text.size()) == 1;
  ERR_clear_error();
  return valid;
}

base::Result<std::string> seal(std::string_view key, std::string_view nonce,
                               std::string_view context, std::string_view text) {
  CHECK_THAT(key.size() == 32 && nonce.size() == kNonce);
  const CipherContext cipher(EVP_CIPHER_CTX_new());
  std::string out = std::string(nonce) + std::string(text.size() + kTag, '\0');
  int length = 0, more = 0;
  if (!cipher ||
      EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, octets(key), octets(nonce)) !=
          1 ||
      EVP_EncryptUpdate(cipher.get(), nullptr, &length, octets(context),
                        static_cast<int>(context.size())) != 1 ||
      EVP_EncryptUpdate(cipher.get(), octets(out) + kNonce, &length, octets(text),
                        static_cast<int>(text.size())) != 1 ||
      EVP_EncryptFinal_ex(cipher.get(), octets(out) + kNonce + length, &more) != 1 ||
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, kTag,
                          octets(out) + kNonce + text.size()) != 1) {
    return crypto_error("seal");
  }
  return out;
}

base::Result<base::Secret> unseal(std::string_view key, std::string_view context,
                                  std::string_view sealed) {
  CHECK_THAT(key.size() == 32);
  const base::Error broken{base::Code::corrupt, "a sealed value cannot be opened", "seal_broken"};
  if (sealed.size() < kNonce + kTag) return broken;
  const CipherContext cipher(EVP_CIPHER_CTX_new());
  const std::size_t size = sealed.size() - kNonce - kTag;
  std::string out(size, '\0');
  std::string tag(sealed.substr(kNonce + size));
  int length = 0, more = 0;
  if (!cipher ||
      EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, octets(key), octets(sealed)) !=
          1 ||
      EVP_DecryptUpdate(cipher.get(), nullptr, &length, octets(context),
                        static_cast<int>(context.size())) != 1 ||
      EVP_DecryptUpdate(cipher.get(), octets(out), &length, octets(sealed) + kNonce,
                        static_cast<int>(size)) != 1 ||
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, kTag, tag.data()) != 1 ||
      EVP_DecryptFinal_ex(cipher.get(), octets(out) + length, &more) != 1) {
    ERR_clear_error();
    return broken;
  }
  return base::Secret(std::move(out));
}

}  // namespace sys
