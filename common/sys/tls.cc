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

base::Error unusable(std::string detail) {
  ERR_clear_error();
  return {base::Code::invalid_argument, std::move(detail), "certificate_unusable"};
}

Bio open_text(std::string_view text) {
  Bio out(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  CHECK_THAT(out != nullptr);
  return out;
}

// Without it OpenSSL would ask at the terminal.
int no_password(char*, int, int, void*) { return -1; }

std::vector<std::string> dns_names(const X509* certificate) {
  std::vector<std::string> out;
  const GeneralNames names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_DNS) continue;
    const auto* const bytes = reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName));
    out.push_back(
        base::lower({bytes, static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName))}));
  }
  return out;
}

base::Result<std::vector<Certificate>> read_chain(std::string_view text) {
  std::vector<Certificate> out;
  const Bio bio = open_text(text);
  while (X509* const next = PEM_read_bio_X509(bio.get(), nullptr, no_password, nullptr)) {
    out.emplace_back(next);
  }
  // The end of the text is an error like any other; that something was read tells them apart.
  const bool ended = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (out.empty() || !ended) return unusable("there is no certificate that can be read");
  return out;
}

std::string content_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

}  // namespace

std::string sha256(std::string_view bytes) {
  // EVP_sha256() is looked up anew by each use, which takes longer than a short text.
  static const EVP_MD* const fetched = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  std::string digest(32, '\0');
  CHECK_THAT(EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(digest.data()),
                        nullptr, fetched, nullptr) == 1);
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

base::Result<ServerCertificate> read_server_certificate(std::string_view text) {
  const std::vector<Certificate> chain = TRY(read_chain(text));
  const Bio key_text = open_text(text);
  const PrivateKey key(PEM_read_bio_PrivateKey(key_text.get(), nullptr, no_password, nullptr));
  if (key == nullptr) return unusable("there is no key that can be read without a password");
  X509* const certificate = chain.front().get();
  if (X509_check_private_key(certificate, key.get()) != 1) {
    return unusable("the key does not belong to the first certificate");
  }
  ServerCertificate out;
  const Bio bio(BIO_new(BIO_s_secmem()));
  CHECK_THAT(bio != nullptr);
  for (const Certificate& item : chain) {
    if (PEM_write_bio_X509(bio.get(), item.get()) != 1) return openssl_error("write a certificate");
  }
  if (PEM_write_bio_PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return openssl_error("write the key");
  }
  out.pem = base::Secret(content_of(bio.get()));
  std::array<unsigned char, 20> digest{};
  unsigned size = digest.size();
  if (X509_digest(certificate, EVP_sha1(), digest.data(), &size) != 1) {
    return openssl_error("digest a certificate");
  }
  for (const unsigned char byte : digest) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    out.sha1 += {kDigits[byte >> 4], kDigits[byte & 15]};
  }
  out.names = dns_names(certificate);
  int days = 0;
  int seconds = 0;
  if (ASN1_TIME_diff(&days, &seconds, nullptr, X509_get0_notAfter(certificate)) != 1) {
    return unusable("its end cannot be read");
  }
  out.left = std::chrono::hours(24) * days + std::chrono::seconds(seconds);
  return out;
}

}  // namespace sys
