// SPDX-License-Identifier: Apache-2.0
#include "services/security/adapters/saml/xml_signature.h"

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <xmlsec/crypto.h>
#include <xmlsec/errors.h>
#include <xmlsec/templates.h>
#include <xmlsec/xmldsig.h>
#include <xmlsec/xmlsec.h>
#include <xmlsec/xmltree.h>

#include "common/sys/handle.h"

namespace security {

namespace {

using Document = sys::Handle<xmlDoc, xmlFreeDoc>;
using SignatureContext = sys::Handle<xmlSecDSigCtx, xmlSecDSigCtxDestroy>;

constexpr int kNodesMax = 10'000;
constexpr std::size_t kSignaturesMax = 4;

base::Error saml_error(std::string detail) {
  return {base::Code::unauthenticated, std::move(detail), "saml_invalid"};
}

const xmlChar* xml(const char* text) { return reinterpret_cast<const xmlChar*>(text); }
std::string_view view(const xmlChar* text) {
  return text == nullptr ? std::string_view() : reinterpret_cast<const char*>(text);
}
std::string take(xmlChar* text) {
  const std::string out(view(text));
  if (text != nullptr) xmlFree(text);
  return out;
}

// Messages come back as errors of ours; the libraries print nothing.
void drop_message(void*, const char*, ...) noexcept {}  // NOLINT: the type that libxml2 wants

// The libraries start once in a process and stay.
bool start_library() {
  static const bool ready = [] {
    xmlInitParser();
    xmlSetGenericErrorFunc(nullptr, drop_message);
    if (xmlSecInit() < 0 || xmlSecCryptoAppInit(nullptr) < 0 || xmlSecCryptoInit() < 0) {
      return false;
    }
    xmlSecErrorsSetCallback(
        [](const char*, int, const char*, const char*, const char*, int, const char*) {});
    return true;
  }();
  return ready;
}

base::Result<Document> parse(std::string_view text) {
  if (!start_library()) {
    return base::Error{base::Code::internal, "xmlsec cannot be used", "saml_unavailable"};
  }
  if (text.empty() || text.size() > kXmlMax) return saml_error("the XML is empty or too long");
  // A document type is the only way to entities; its letters appear nowhere else in SAML.
  if (text.find("<!DOCTYPE") != text.npos || text.find("<!ENTITY") != text.npos) {
    return saml_error("XML with a document type is refused");
  }
  Document document(xmlReadMemory(text.data(), static_cast<int>(text.size()), nullptr, nullptr,
                                  XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING));
  if (!document || xmlDocGetRootElement(document.get()) == nullptr) {
    return saml_error("this is no XML");
  }
  if (document->intSubset != nullptr || document->extSubset != nullptr) {
    return saml_error("XML with a document type is refused");
  }
  return document;
}

bool is_element(const xmlNode* node) { return node != nullptr && node->type == XML_ELEMENT_NODE; }

// Calls `visit` for each element, in document order. False: too many.
template <class Visit>
bool walk(xmlNode* node, int& left, const Visit& visit) {
  for (; node != nullptr; node = node->next) {
    if (--left < 0) return false;
    if (is_element(node)) visit(node);
    if (!walk(node->children, left, visit)) return false;
  }
  return true;
}

std::string id_of(xmlNode* node) { return take(xmlGetNoNsProp(node, xml("ID"))); }

bool is_signature(const xmlNode* node) {
  return is_element(node) && view(node->name) == "Signature" && node->ns != nullptr &&
         view(node->ns->href) == "http://www.w3.org/2000/09/xmldsig#";
}

struct Survey {
  std::vector<xmlNode*> signatures;
  std::vector<std::pair<std::string, xmlNode*>> ids;
};

base::Result<Survey> survey(xmlDoc* document) {
  Survey out;
  int left = kNodesMax;
  const bool small = walk(xmlDocGetRootElement(document), left, [&](xmlNode* node) {
    if (is_signature(node)) out.signatures.push_back(node);
    const std::string id = id_of(node);
    if (!id.empty()) out.ids.emplace_back(id, node);
  });
  if (!small) return saml_error("the XML has too many parts");
  if (out.signatures.empty() || out.signatures.size() > kSignaturesMax) {
    return saml_error("the XML is not signed, or too often");
  }
  for (std::size_t i = 0; i < out.ids.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (out.ids[i].first == out.ids[j].first) return saml_error("an ID is there twice");
    }
  }
  for (auto& [id, node] : out.ids) {
    xmlAttr* attribute = xmlHasProp(node, xml("ID"));
    if (attribute == nullptr ||
        xmlAddID(nullptr, document, xml(id.c_str()), attribute) == nullptr) {
      return saml_error("an ID is no name");
    }
  }
  return out;
}

// The context of a check: our key, and no algorithm or place that we do not want.
base::Result<SignatureContext> make_context(const std::string& certificate) {
  SignatureContext context(xmlSecDSigCtxCreate(nullptr));
  if (!context) return saml_error("no signature context");
  context->signKey =
      xmlSecCryptoAppKeyLoadMemory(reinterpret_cast<const xmlSecByte*>(certificate.data()),
                                   static_cast<xmlSecSize>(certificate.size()),
                                   xmlSecKeyDataFormatCertPem, nullptr, nullptr, nullptr);
  if (context->signKey == nullptr) return saml_error("the trusted certificate cannot be read");
  context->enabledReferenceUris = xmlSecTransformUriTypeSameDocument;
  bool enabled = true;
  for (const xmlSecTransformId id :
       {xmlSecTransformEnvelopedId, xmlSecTransformExclC14NId, xmlSecTransformSha256Id,
        xmlSecTransformSha384Id, xmlSecTransformSha512Id}) {
    enabled = enabled && xmlSecDSigCtxEnableReferenceTransform(context.get(), id) == 0;
  }
  for (const xmlSecTransformId id : {xmlSecTransformExclC14NId, xmlSecTransformRsaSha256Id,
                                     xmlSecTransformRsaSha384Id, xmlSecTransformRsaSha512Id}) {
    enabled = enabled && xmlSecDSigCtxEnableSignatureTransform(context.get(), id) == 0;
  }
  if (!enabled) return saml_error("an algorithm is not there");
  return context;
}

// The element that a signature signs: its parent, named by the one reference.
base::Result<xmlNode*> signed_by(xmlNode* signature, const std::string& certificate) {
  xmlNode* parent = signature->parent;
  if (!is_element(parent)) return saml_error("a signature is not inside of what it signs");
  xmlNode* info = xmlSecFindChild(signature, xmlSecNodeSignedInfo, xmlSecDSigNs);
  xmlNode* reference =
      info == nullptr ? nullptr : xmlSecFindChild(info, xmlSecNodeReference, xmlSecDSigNs);
  if (reference == nullptr) return saml_error("a signature refers to nothing");
  for (xmlNode* next = reference->next; next != nullptr; next = next->next) {
    if (is_element(next)) return saml_error("a signature refers to more than one element");
  }
  const std::string id = id_of(parent);
  if (id.empty() || take(xmlGetNoNsProp(reference, xml("URI"))) != "#" + id) {
    return saml_error("a signature refers to another element than the one it is in");
  }
  const SignatureContext context = TRY(make_context(certificate));
  const bool checked = xmlSecDSigCtxVerify(context.get(), signature) == 0 &&
                       context->status == xmlSecDSigStatusSucceeded;
  if (!checked) return saml_error("a signature is wrong");
  return parent;
}

xmlNode* node_of(void* node) { return static_cast<xmlNode*>(node); }

}  // namespace

bool XmlElement::is(std::string_view name, std::string_view name_space) const {
  const xmlNode* node = node_of(node_);
  return is_element(node) && view(node->name) == name && node->ns != nullptr &&
         view(node->ns->href) == name_space;
}

std::string XmlElement::attribute(std::string_view name) const {
  return take(xmlGetNoNsProp(node_of(node_), xml(std::string(name).c_str())));
}

// Text nodes put together: a comment in the middle must not cut a name short (CVE-2017-11427).
std::string XmlElement::text() const {
  std::string out;
  for (xmlNode* each = node_of(node_)->children; each != nullptr; each = each->next) {
    if (each->type == XML_TEXT_NODE || each->type == XML_CDATA_SECTION_NODE) {
      out += view(each->content);
    }
  }
  return out;
}

std::vector<XmlElement> XmlElement::children(std::string_view name,
                                             std::string_view name_space) const {
  std::vector<XmlElement> out;
  for (xmlNode* each = node_of(node_)->children; each != nullptr; each = each->next) {
    if (XmlElement(each).is(name, name_space)) out.emplace_back(each);
  }
  return out;
}

base::Result<XmlElement> XmlElement::only_child(std::string_view name,
                                                std::string_view name_space) const {
  const std::vector<XmlElement> found = children(name, name_space);
  if (found.size() != 1) return saml_error("there is not exactly one " + std::string(name));
  return found.front();
}

struct SignedXml::State {
  Document document;
  std::vector<XmlElement> signed_elements;
};

SignedXml::SignedXml(std::unique_ptr<State> state) : state_(std::move(state)) {}
SignedXml::SignedXml(SignedXml&&) noexcept = default;
SignedXml& SignedXml::operator=(SignedXml&&) noexcept = default;
SignedXml::~SignedXml() = default;

base::Result<SignedXml> SignedXml::verify(std::string_view text,
                                          const std::string& certificate_pem) {
  auto state = std::make_unique<State>();
  state->document = TRY(parse(text));
  const Survey found = TRY(survey(state->document.get()));
  for (xmlNode* signature : found.signatures) {
    xmlNode* element = TRY(signed_by(signature, certificate_pem));
    state->signed_elements.emplace_back(element);
  }
  return SignedXml(std::move(state));
}

XmlElement SignedXml::root() const {
  return XmlElement(xmlDocGetRootElement(state_->document.get()));
}

bool SignedXml::is_signed(const XmlElement& element) const {
  for (const XmlElement& each : state_->signed_elements) {
    // Both wrap nodes of this document; the way up from the element meets the signed one or not.
    XmlElement at = element;
    while (at) {
      if (at.same_as(each)) return true;
      at = at.parent();
    }
  }
  return false;
}

const std::vector<XmlElement>& SignedXml::signed_elements() const {
  return state_->signed_elements;
}

XmlElement XmlElement::parent() const {
  xmlNode* above = node_ == nullptr ? nullptr : node_of(node_)->parent;
  return XmlElement(is_element(above) ? above : nullptr);
}

base::Result<std::string> sign_xml(std::string_view text, std::string_view id,
                                   const std::string& key_pem) {
  const Document document = TRY(parse(text));
  xmlNode* target = nullptr;
  int left = kNodesMax;
  (void)walk(xmlDocGetRootElement(document.get()), left, [&](xmlNode* node) {
    if (id_of(node) == id) target = node;
  });
  if (target == nullptr) return saml_error("there is no element to sign");
  xmlAttr* attribute = xmlHasProp(target, xml("ID"));
  (void)xmlAddID(nullptr, document.get(), xml(std::string(id).c_str()), attribute);
  xmlNode* signature = xmlSecTmplSignatureCreate(document.get(), xmlSecTransformExclC14NId,
                                                 xmlSecTransformRsaSha256Id, nullptr);
  xmlNode* first = xmlFirstElementChild(target);
  if (first != nullptr) {
    xmlAddNextSibling(first, signature);
  } else {
    xmlAddChild(target, signature);
  }
  xmlNode* reference = xmlSecTmplSignatureAddReference(
      signature, xmlSecTransformSha256Id, nullptr, xml(("#" + std::string(id)).c_str()), nullptr);
  if (reference == nullptr ||
      xmlSecTmplReferenceAddTransform(reference, xmlSecTransformEnvelopedId) == nullptr ||
      xmlSecTmplReferenceAddTransform(reference, xmlSecTransformExclC14NId) == nullptr) {
    return saml_error("a signature cannot be made");
  }
  const SignatureContext context(xmlSecDSigCtxCreate(nullptr));
  context->signKey = xmlSecCryptoAppKeyLoadMemory(
      reinterpret_cast<const xmlSecByte*>(key_pem.data()), static_cast<xmlSecSize>(key_pem.size()),
      xmlSecKeyDataFormatPem, nullptr, nullptr, nullptr);
  if (context->signKey == nullptr || xmlSecDSigCtxSign(context.get(), signature) < 0) {
    return saml_error("the XML cannot be signed with this key");
  }
  xmlChar* out = nullptr;
  int size = 0;
  xmlDocDumpMemory(document.get(), &out, &size);
  return take(out);
}

}  // namespace security
