// SPDX-License-Identifier: Apache-2.0
// Certificates as HAProxy has them: files in a folder of ours for its start, and the same by
// runtime commands while it runs.
//
// Used by the daemon. Whatever lies in the operator's folder, HAProxy sees only what was checked.
// 1. File names are generated; nothing an operator wrote becomes part of a command.
// 2. The files are written before the commands are given: a worker that starts in between has the
// new ones already.
// 3. A certificate that is not wanted any more leaves the list first, then HAProxy's memory.
// Threads: one at a time. Source: HAProxy 2.6 management guide, "set ssl cert", "add ssl crt-list".
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/secret.h"

namespace netfw {

struct LbSkeleton;
class CliSession;

// Served to clients that name no host, or one without a certificate.
inline constexpr char kDefaultCertificate[] = "default.pem";
// The runtime interface takes one command at most as large as HAProxy's buffer of 16 KiB.
inline constexpr std::size_t kCertificateBytesMax = 15'000;

struct Certificate {
  base::Secret pem;  // certificate, chain, key, without empty lines
  std::string sha1;  // of the certificate, as HAProxy shows it
};
// By file name: kDefaultCertificate, or one that certificate_file() made.
using CertificateSet = std::map<std::string, Certificate>;

// "c_" and 16 hex digits, for the name of an operator's file.
std::string certificate_file(std::string_view source);
std::filesystem::path certificate_list(const LbSkeleton& skeleton);

// Writes what differs, mode 0600, and removes files of ours that are not wanted.
base::Result<void> write_certificates(const LbSkeleton& skeleton, const CertificateSet& wanted);

// File name to digest, of all that HAProxy uses. Errors: those of CliSession::ask.
base::Result<std::map<std::string, std::string>> read_certificates(CliSession& session,
                                                                   const LbSkeleton& skeleton);
// Carries out the difference and notes it in `seen`; returns how many certificates changed.
base::Result<std::size_t> sync_certificates(CliSession& session, const LbSkeleton& skeleton,
                                            const CertificateSet& wanted,
                                            std::map<std::string, std::string>& seen);

}  // namespace netfw
