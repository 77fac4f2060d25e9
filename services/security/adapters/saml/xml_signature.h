// SPDX-License-Identifier: Apache-2.0
// XML whose signature was checked: only what a trusted key signed can be read (libxml2, xmlsec1).
//
// Used by the SAML service provider.
// 1. Text with a document type is refused, so there are no entities, internal or external; nothing
// is fetched; text has at most 256 KiB.
// 2. The key is the configured one. Keys and certificates inside the signature are not looked at.
// 3. A signature counts when it is a child of the element it names by `ID`, no other element has
// that ID, and it refers to nothing else. Callers read from that element alone (SignedElement), so
// elements wrapped around or beside it are never seen.
// 4. RSA with SHA-256 or better and exclusive canonicalisation; SHA-1, MD5 and other transforms are
// refused.
// Threads: any. Errors: unauthenticated saml_invalid.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace security {

inline constexpr std::size_t kXmlMax = 256 << 10;

// An element below a signed one. Valid while the SignedXml lives.
class XmlElement {
 public:
  explicit XmlElement(void* node = nullptr) : node_(node) {}
  explicit operator bool() const { return node_ != nullptr; }
  bool same_as(const XmlElement& other) const { return node_ == other.node_; }
  XmlElement parent() const;  // none for the root
  bool is(std::string_view name, std::string_view name_space) const;
  std::string attribute(std::string_view name) const;  // without a namespace; empty when absent
  std::string text() const;                            // its text, comments left out of account
  std::vector<XmlElement> children(std::string_view name, std::string_view name_space) const;
  // The only child of that name. Errors: saml_invalid when there is none or more than one.
  base::Result<XmlElement> only_child(std::string_view name, std::string_view name_space) const;

 private:
  void* node_;  // xmlNode; kept opaque so that libxml2 stays in its wrapper
};

class SignedXml {
 public:
  // Checks every signature of the document; at least one must count. `certificate_pem` is whom we
  // trust.
  static base::Result<SignedXml> verify(std::string_view text, const std::string& certificate_pem);
  SignedXml(SignedXml&&) noexcept;
  SignedXml& operator=(SignedXml&&) noexcept;
  ~SignedXml();
  XmlElement root() const;  // not necessarily signed: look at is_signed()
  // The element itself, or one above it, is signed.
  bool is_signed(const XmlElement& element) const;
  const std::vector<XmlElement>& signed_elements() const;

 private:
  struct State;
  explicit SignedXml(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// For tests and for signing what we send: adds an enveloped RSA-SHA256 signature to the element
// with `id`, as its second child (behind the issuer). `key_pem` is an RSA key.
base::Result<std::string> sign_xml(std::string_view text, std::string_view id,
                                   const std::string& key_pem);

}  // namespace security
