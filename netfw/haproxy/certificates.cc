// SPDX-License-Identifier: Apache-2.0
#include "netfw/haproxy/certificates.h"

#include "common/base/config.h"
#include "common/base/text.h"
#include "common/sys/files.h"
#include "common/sys/tls.h"
#include "netfw/haproxy/cli.h"
#include "netfw/haproxy/config.h"

namespace netfw {
namespace {

constexpr std::string_view kListName = "certificates.list";
constexpr std::size_t kListBytesMax = 1 << 20;

bool is_ours(std::string_view name) {
  return name.size() == 22 && name.starts_with("c_") && name.ends_with(".pem") &&
         name.substr(2, 16).find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string render_list(const LbSkeleton& skeleton, const CertificateSet& wanted) {
  std::string out;
  for (const auto& [name, certificate] : wanted) {
    if (name != kDefaultCertificate) out += (skeleton.certificate_folder / name).string() + "\n";
  }
  return out;
}

base::Result<void> write_when_different(const std::filesystem::path& path, std::string_view text) {
  const auto now = base::read_file(path, kListBytesMax);
  if (now && *now == text) return {};
  return sys::write_file_durably(path, text, 0600);
}

// "Success!" comes without a severity.
base::Result<void> ask_for_success(CliSession& session, const Command& command) {
  const std::string reply = TRY(session.ask(command));
  if (reply.find("Success!") != std::string::npos) return {};
  return base::Error{.code = base::Code::internal,
                     .detail = command.text() + ": " + reply.substr(0, 300),
                     .reason = "haproxy_refused"};
}

base::Result<void> put(CliSession& session, const std::filesystem::path& file,
                       const base::Secret& pem) {
  TRY(session.ask(Command::set_certificate(file, pem)));
  auto done = ask_for_success(session, Command::commit_certificate(file));
  if (done) return done;
  // The transaction would hold up the next try.
  const auto aborted = session.ask(Command::abort_certificate(file));
  return aborted ? done : base::Result<void>(aborted.error());
}

base::Result<void> add(CliSession& session, const LbSkeleton& skeleton, const std::string& name,
                       const base::Secret& pem) {
  const std::filesystem::path file = skeleton.certificate_folder / name;
  // What an earlier life left behind outside the list is as good as new.
  if (!session.ask(Command::show_certificate(file))) {
    TRY(session.ask(Command::new_certificate(file)));
  }
  TRY(put(session, file, pem));
  return ask_for_success(session, Command::list_certificate(certificate_list(skeleton), file));
}

base::Result<void> drop(CliSession& session, const LbSkeleton& skeleton, const std::string& name) {
  const std::filesystem::path file = skeleton.certificate_folder / name;
  TRY(session.ask(Command::unlist_certificate(certificate_list(skeleton), file)));
  TRY(session.ask(Command::del_certificate(file)));
  return {};
}

// The digest, or empty when HAProxy has the name and no certificate behind it.
base::Result<std::string> read_digest(CliSession& session, const std::filesystem::path& file) {
  constexpr std::string_view kDigest = "SHA1 FingerPrint: ";
  const std::string reply = TRY(session.ask(Command::show_certificate(file)));
  for (const std::string_view line : base::split(reply, '\n')) {
    if (line.starts_with(kDigest)) return std::string(base::trim(line.substr(kDigest.size())));
  }
  return std::string();
}

}  // namespace

std::string certificate_file(std::string_view source) {
  return "c_" + sys::sha256_hex(source).substr(0, 16) + ".pem";
}

std::filesystem::path certificate_list(const LbSkeleton& skeleton) {
  return skeleton.certificate_folder / kListName;
}

base::Result<void> write_certificates(const LbSkeleton& skeleton, const CertificateSet& wanted) {
  TRY(sys::make_folder(skeleton.certificate_folder, 0700));
  for (const auto& [name, certificate] : wanted) {
    TRY(write_when_different(skeleton.certificate_folder / name, certificate.pem.reveal()));
  }
  // The list names only files that are there; a file without a line does no harm.
  TRY(write_when_different(certificate_list(skeleton), render_list(skeleton, wanted)));
  std::error_code failed;
  for (const auto& entry :
       std::filesystem::directory_iterator(skeleton.certificate_folder, failed)) {
    const std::string name = entry.path().filename().string();
    if (is_ours(name) && !wanted.contains(name)) std::filesystem::remove(entry.path(), failed);
  }
  if (failed) return base::os_error(failed.value(), "remove an old certificate");
  return {};
}

base::Result<std::map<std::string, std::string>> read_certificates(CliSession& session,
                                                                   const LbSkeleton& skeleton) {
  std::map<std::string, std::string> out;
  const std::string list = TRY(session.ask(Command::show_list(certificate_list(skeleton))));
  std::vector<std::string> names = {kDefaultCertificate};
  for (const std::string_view line : base::split(list, '\n')) {
    const std::filesystem::path file(base::trim(line));
    if (file.parent_path() == skeleton.certificate_folder && is_ours(file.filename().string())) {
      names.push_back(file.filename().string());
    }
  }
  for (const std::string& name : names) {
    out[name] = TRY(read_digest(session, skeleton.certificate_folder / name));
  }
  return out;
}

base::Result<std::size_t> sync_certificates(CliSession& session, const LbSkeleton& skeleton,
                                            const CertificateSet& wanted,
                                            std::map<std::string, std::string>& seen) {
  std::size_t changed = 0;
  for (const auto& [name, certificate] : wanted) {
    const auto there = seen.find(name);
    if (there != seen.end() && there->second == certificate.sha1) continue;
    if (there != seen.end()) {
      TRY(put(session, skeleton.certificate_folder / name, certificate.pem));
    } else {
      TRY(add(session, skeleton, name, certificate.pem));
    }
    seen[name] = certificate.sha1;
    ++changed;
  }
  for (auto it = seen.begin(); it != seen.end();) {
    if (wanted.contains(it->first) || it->first == kDefaultCertificate) {
      ++it;
      continue;
    }
    TRY(drop(session, skeleton, it->first));
    it = seen.erase(it);
    ++changed;
  }
  return changed;
}

}  // namespace netfw
