// SPDX-License-Identifier: Apache-2.0
// A folder that looks like /proc, /sys, /etc and /dev of a good node, and probes that answer as
// told. Tests break one thing and look at one check.
#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "node/preflight/checks.h"
#include "node/preflight/run.h"
#include "tests/support/check_result.h"
#include "tests/support/temp_folder.h"

inline void expect(node::preflight::Verdict verdict, const std::string& found,
                   const node::preflight::Finding& finding) {
  STRCMP_EQUAL(found.c_str(), finding.found.c_str());
  STRCMP_EQUAL(std::string(node::preflight::verdict_name(verdict)).c_str(),
               std::string(node::preflight::verdict_name(finding.verdict)).c_str());
  // Whoever is told that something is wrong is told what to do.
  using node::preflight::Verdict;
  if (verdict == Verdict::pass) CHECK_TRUE(finding.fix.empty());
  if (verdict == Verdict::warn || verdict == Verdict::fail) CHECK_FALSE(finding.fix.empty());
}

class FakeProbes final : public node::preflight::Probes {
 public:
  using TableState = node::preflight::TableState;
  std::optional<TableState> tables = TableState::usable;
  std::optional<TableState> nft = TableState::usable;
  std::optional<bool> synchronised = true;
  std::vector<std::string> addresses = {"10.0.0.2"};
  std::optional<std::uint64_t> root_bytes = {};
  std::optional<std::string> fuse = std::string();

  std::optional<TableState> iptables_table(const std::string&) override { return tables; }
  std::optional<TableState> nf_tables() override { return nft; }
  std::optional<bool> clock_synchronised() override { return synchronised; }
  std::optional<std::vector<std::string>> resolve(const std::string&) override { return addresses; }
  std::optional<std::uint64_t> filesystem_bytes(const std::string&) override { return root_bytes; }
  std::optional<std::string> open_fuse() override { return fuse; }
  // By host; one that is not named here may not be asked.
  std::map<std::string, node::preflight::PeerAnswer> peers;
  std::optional<node::preflight::PeerAnswer> ask_peer(const std::string& host) override {
    const auto at = peers.find(host);
    if (at == peers.end()) return std::nullopt;
    return at->second;
  }
};

class FakeMachine {
 public:
  FakeMachine() {
    write("etc/os-release",
          "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.4\"\n"
          "PRETTY_NAME=\"Rocky Linux 9.4 (Blue Onyx)\"\n");
    write("etc/hosts", "127.0.0.1 localhost\n10.0.0.2\tn1.example n1\n");
    write("usr/lib64/systemd/libsystemd-shared-252-46.el9.so", "");
    write("proc/1/comm", "systemd\n");
    write("proc/self/status", "Name:\tgestalt\nCpus_allowed_list:\t0-2,8\n");
    write("proc/self/ns/user", "");
    write("proc/meminfo", "MemTotal:       16101224 kB\nMemFree:  1 kB\n");
    write("proc/filesystems", "nodev\toverlay\nnodev\tfuse\n\txfs\n\text4\n");
    write("proc/700/comm", "chronyd\n");
    write("dev/loop-control", "");
    write("usr/sbin/mkfs.ext4", "");
    write("sys/fs/selinux/enforce", "1");
    write("proc/sys/kernel/hostname", "n1.example\n");
    write("proc/sys/kernel/osrelease", "5.14.0-503.el9.x86_64\n");
    write("proc/sys/kernel/seccomp/actions_avail", "kill_process errno allow\n");
    write("proc/sys/user/max_user_namespaces", "63000\n");
    write("proc/net/fib_trie",
          "        |-- 127.0.0.1\n           /32 host LOCAL\n"
          "        |-- 10.0.0.2\n           /32 host LOCAL\n");
    write("proc/net/tcp", kTcpHeader);
    write("proc/net/tcp6", kTcpHeader);
    write("proc/self/mountinfo",
          "22 1 253:1 / / rw,relatime shared:1 - xfs /dev/vda1 rw\n"
          "23 22 0:21 / /proc rw - proc proc rw\n");
    write("lib/modules/5.14.0-503.el9.x86_64/modules.dep",
          "kernel/net/netfilter/ipset/ip_set.ko.xz: kernel/x\n"
          "kernel/net/netfilter/nf_conntrack.ko.xz:\n");
    write("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n");
    write("sys/fs/cgroup/cpu.max", "max 100000\n");
    disk("vda", "253:0", 40);
    write("sys/block/vda/vda1/partition", "1\n");
    write("sys/block/vda/vda1/dev", "253:1\n");
    write("sys/block/vda/vda1/size", "40000000\n");  // 20.48 GB
    disk("vdb", "253:16", 20);
    write("dev/vdb", std::string(1 << 17, '\0'));
  }

  std::filesystem::path at(const std::string& path) const { return root_ / path; }
  void write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(at(path).parent_path());
    std::ofstream(at(path), std::ios::binary) << text;
  }
  void remove(const std::string& path) { std::filesystem::remove_all(at(path)); }
  void link(const std::string& path, const std::string& target) {
    std::filesystem::create_directories(at(path).parent_path());
    remove(path);
    std::filesystem::create_symlink(target, at(path));
  }
  void disk(const std::string& name, const std::string& number, std::uint64_t gigabytes) {
    const std::string folder = "sys/block/" + name;
    write(folder + "/dev", number + "\n");
    write(folder + "/size", std::to_string(gigabytes * 1000 * 1000 * 1000 / 512) + "\n");
    write(folder + "/removable", "0\n");
    write(folder + "/ro", "0\n");
  }
  // A process that listens on a port given as four hexadecimal digits.
  void listener(const std::string& hex_port, int pid, const std::string& process,
                const std::string& unit) {
    const std::string inode = std::to_string(90000 + pid);
    write("proc/net/tcp", std::string(kTcpHeader) + "   0: 00000000:" + hex_port +
                              " 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0    "
                              "    0 " +
                              inode + " 1 0000 100 0 0 10 0\n");
    const std::string folder = "proc/" + std::to_string(pid);
    write(folder + "/comm", process + "\n");
    write(folder + "/cgroup", "0::/system.slice/" + unit + "\n");
    link(folder + "/fd/3", "socket:[" + inode + "]");
  }

  node::preflight::Report run(node::preflight::Options options = {}) {
    options.sysroot = root_.path();
    return *node::preflight::run_checks(options, probes);
  }
  node::preflight::Finding look(const std::string& id,
                                node::preflight::Role role = node::preflight::Role::infra,
                                const std::string& data_device = {}) {
    return run({.role = role, .only = {id}, .data_device = data_device}).findings.at(0).finding;
  }

  FakeProbes probes;

 private:
  static constexpr const char* kTcpHeader =
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
      "inode\n";
  TempFolder root_;
};
