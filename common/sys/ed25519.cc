// SPDX-License-Identifier: Apache-2.0
#include "common/sys/ed25519.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "common/sys/handle.h"
#include "common/sys/octets.h"

namespace sys {

using base::Code;
using base::Error;
using base::Result;

namespace {

constexpr std::size_t kPublicBytes = 32;
constexpr std::size_t kSignatureBytes = 64;

using SignContext = Handle<EVP_MD_CTX, EVP_MD_CTX_free>;
using KeyBio = Handle<BIO, BIO_free_all>;

Error ed25519_error(const char* what) { return {Code::internal, what, "tls_failed"}; }

}  // namespace

struct Ed25519Key::State {
  Handle<EVP_PKEY, EVP_PKEY_free> key;
};

Ed25519Key::Ed25519Key(std::unique_ptr<State> state) : state_(std::move(state)) {}
Ed25519Key::Ed25519Key(Ed25519Key&&) noexcept = default;
Ed25519Key& Ed25519Key::operator=(Ed25519Key&&) noexcept = default;
Ed25519Key::~Ed25519Key() = default;

Result<Ed25519Key> Ed25519Key::generate() {
  auto state = std::make_unique<State>();
  state->key.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  if (!state->key) return ed25519_error("no Ed25519 key could be made");
  return Ed25519Key(std::move(state));
}

Result<Ed25519Key> Ed25519Key::from_private_pem(std::string_view pem) {
  const KeyBio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  auto state = std::make_unique<State>();
  if (bio) state->key.reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  if (!state->key || EVP_PKEY_get_id(state->key.get()) != EVP_PKEY_ED25519) {
    return Error{Code::invalid_argument, "this is no Ed25519 key in PEM", "signing_key_invalid"};
  }
  return Ed25519Key(std::move(state));
}

Result<Ed25519Key> Ed25519Key::from_public(std::string_view raw) {
  auto state = std::make_unique<State>();
  if (raw.size() == kPublicBytes) {
    state->key.reset(
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, octets(raw), raw.size()));
  }
  if (!state->key) {
    return Error{Code::invalid_argument, "a public Ed25519 key has 32 bytes",
                 "signing_key_invalid"};
  }
  return Ed25519Key(std::move(state));
}

Result<base::Secret> Ed25519Key::private_pem() const {
  const KeyBio bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_PKCS8PrivateKey(bio.get(), state_->key.get(), nullptr, nullptr, 0,
                                            nullptr, nullptr) != 1) {
    return ed25519_error("the key could not be written");
  }
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return base::Secret(std::string(data, static_cast<std::size_t>(size)));
}

Result<std::string> Ed25519Key::public_raw() const {
  std::string raw(kPublicBytes, '\0');
  std::size_t size = raw.size();
  if (EVP_PKEY_get_raw_public_key(state_->key.get(), reinterpret_cast<unsigned char*>(raw.data()),
                                  &size) != 1) {
    return ed25519_error("the public key could not be read");
  }
  return raw;
}

Result<std::string> Ed25519Key::sign(std::string_view text) const {
  const SignContext context(EVP_MD_CTX_new());
  std::string signature(kSignatureBytes, '\0');
  std::size_t size = signature.size();
  if (!context ||
      EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, state_->key.get()) != 1 ||
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                     octets(text), text.size()) != 1) {
    return ed25519_error("the text could not be signed");
  }
  return signature;
}

bool Ed25519Key::verify(std::string_view text, std::string_view signature) const {
  const SignContext context(EVP_MD_CTX_new());
  return context &&
         EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, state_->key.get()) == 1 &&
         EVP_DigestVerify(context.get(), octets(signature), signature.size(), octets(text),
                          text.size()) == 1;
}

}  // namespace sys
