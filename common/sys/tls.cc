// SPDX-License-Identifier: Apache-2.0
#include "common/sys/tls.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <array>
#include <ctime>

#include "common/base/check.h"
#include "common/base/text.h"
#include "common/sys/handle.h"

namespace sys {

namespace {

using Bio = Handle<BIO, BIO_free_all>;
using BigNumber = Handle<BIGNUM, BN_free>;
using Certificate = Handle<X509, X509_free>;
using Extension = Handle<X509_EXTENSION, X509_EXTENSION_free>;
using GeneralName = Handle<GENERAL_NAME, GENERAL_NAME_free>;
using GeneralNames = Handle<GENERAL_NAMES, GENERAL_NAMES_free>;
using Ia5String = Handle<ASN1_IA5STRING, ASN1_IA5STRING_free>;
using OctetString = Handle<ASN1_OCTET_STRING, ASN1_OCTET_STRING_free>;
using PrivateKey = Handle<EVP_PKEY, EVP_PKEY_free>;

constexpr int kSerialBits = 127;            // RFC 5280 section 4.1.2.2: positive, at most 20 bytes
constexpr std::size_t kCommonNameMax = 64;  // ub-common-name of RFC 5280
constexpr std::size_t kDnsNameMax = 253;
// Peers whose clock is behind ours take the certificate all the same.
constexpr std::chrono::seconds kBackdate = std::chrono::hours(24);

base::Error openssl_error(std::string_view what) {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  ERR_clear_error();
  return {base::Code::internal, std::string(what) + ": " + text.data(), "tls_failed"};
}

base::Error name_error(const std::string& name) {
  return {base::Code::invalid_argument,
          "'" + name + "' is neither a DNS name nor an IP address a certificate can carry",
          "certificate_name_invalid"};
}

bool is_dns_name(const std::string& name) {
  if (name.empty() || name.size() > kDnsNameMax) return false;
  for (const char c : name) {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool is_digit = c >= '0' && c <= '9';
    if (!is_letter && !is_digit && c != '-' && c != '.' && c != '*') return false;
  }
  return true;
}

base::Result<GeneralName> make_name(const std::string& name) {
  GeneralName general(GENERAL_NAME_new());
  CHECK_THAT(general != nullptr);
  if (OctetString address{a2i_IPADDRESS(name.c_str())}; address != nullptr) {
    GENERAL_NAME_set0_value(general.get(), GEN_IPADD, address.release());
    return general;
  }
  ERR_clear_error();
  if (!is_dns_name(name)) return name_error(name);
  Ia5String text(ASN1_IA5STRING_new());
  CHECK_THAT(text != nullptr);
  if (ASN1_STRING_set(text.get(), name.data(), static_cast<int>(name.size())) != 1) {
    return openssl_error("set a name");
  }
  GENERAL_NAME_set0_value(general.get(), GEN_DNS, text.release());
  return general;
}

base::Result<void> add_names(X509* certificate, const std::vector<std::string>& names) {
  if (names.empty()) return {};
  const GeneralNames list(sk_GENERAL_NAME_new_null());
  CHECK_THAT(list != nullptr);
  for (const std::string& name : names) {
    GeneralName general = TRY(make_name(name));
    CHECK_THAT(sk_GENERAL_NAME_push(list.get(), general.release()) > 0);
  }
  if (X509_add1_ext_i2d(certificate, NID_subject_alt_name, list.get(), 0, X509V3_ADD_DEFAULT) !=
      1) {
    return openssl_error("add the names");
  }
  return {};
}

base::Result<void> add_extension(X509* certificate, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value));
  if (extension == nullptr) return openssl_error("make an extension");
  if (X509_add_ext(certificate, extension.get(), -1) != 1) return openssl_error("add an extension");
  return {};
}

base::Result<void> set_serial(X509* certificate) {
  const BigNumber serial(BN_new());
  CHECK_THAT(serial != nullptr);
  if (BN_rand(serial.get(), kSerialBits, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) != 1) {
    return openssl_error("draw a serial number");
  }
  if (BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(certificate)) == nullptr) {
    return openssl_error("set the serial number");
  }
  return {};
}

base::Result<void> fill_in(X509* certificate, EVP_PKEY* key, const std::string& common_name,
                           const std::vector<std::string>& names, std::chrono::hours lifetime) {
  if (common_name.empty() || common_name.size() > kCommonNameMax || !base::is_utf8(common_name)) {
    return name_error(common_name);
  }
  if (X509_set_version(certificate, X509_VERSION_3) != 1) return openssl_error("set the version");
  TRY(set_serial(certificate));
  const auto from = -std::chrono::seconds(kBackdate).count();
  const auto until = std::chrono::seconds(lifetime).count();
  std::time_t now = std::time(nullptr);
  const auto day = std::chrono::seconds(std::chrono::hours(24)).count();
  const bool set = X509_time_adj_ex(X509_getm_notBefore(certificate), static_cast<int>(from / day),
                                    static_cast<long>(from % day), &now) != nullptr &&
                   X509_time_adj_ex(X509_getm_notAfter(certificate), static_cast<int>(until / day),
                                    static_cast<long>(until % day), &now) != nullptr;
  if (!set) return openssl_error("set the lifetime");
  X509_NAME* subject = X509_get_subject_name(certificate);
  const auto* text = reinterpret_cast<const unsigned char*>(common_name.data());
  if (X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, text,
                                 static_cast<int>(common_name.size()), -1, 0) != 1 ||
      X509_set_issuer_name(certificate, subject) != 1) {
    return openssl_error("set the subject");
  }
  if (X509_set_pubkey(certificate, key) != 1) return openssl_error("set the key");
  TRY(add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE"));
  TRY(add_extension(certificate, NID_key_usage, "critical,digitalSignature"));
  TRY(add_extension(certificate, NID_ext_key_usage, "serverAuth"));
  TRY(add_extension(certificate, NID_subject_key_identifier, "hash"));
  TRY(add_names(certificate, names));
  if (X509_sign(certificate, key, EVP_sha256()) == 0) return openssl_error("sign");
  return {};
}

std::string content_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

}  // namespace

std::string sha256(std::string_view bytes) {
  std::string digest(32, '\0');
  CHECK_THAT(EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(digest.data()),
                        nullptr, EVP_sha256(), nullptr) == 1);
  return digest;
}

std::string sha256_hex(std::string_view bytes) { return base::to_hex(sha256(bytes)); }

base::Result<KeyPair> make_self_signed(const std::string& common_name,
                                       const std::vector<std::string>& names,
                                       std::chrono::hours lifetime) {
  const PrivateKey key(EVP_EC_gen("P-256"));
  if (key == nullptr) return openssl_error("make a key");
  const Certificate certificate(X509_new());
  CHECK_THAT(certificate != nullptr);
  TRY(fill_in(certificate.get(), key.get(), common_name, names, lifetime));
  // The key's buffer is one that is wiped when it is freed.
  const Bio key_text(BIO_new(BIO_s_secmem()));
  const Bio certificate_text(BIO_new(BIO_s_mem()));
  CHECK_THAT(key_text != nullptr && certificate_text != nullptr);
  if (PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) !=
      1) {
    return openssl_error("write the key");
  }
  if (PEM_write_bio_X509(certificate_text.get(), certificate.get()) != 1) {
    return openssl_error("write the certificate");
  }
  return KeyPair{base::Secret(content_of(key_text.get())), content_of(certificate_text.get())};
}

}  // namespace sys
