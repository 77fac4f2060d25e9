// SPDX-License-Identifier: Apache-2.0
#include "tests/support/zookeeper_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <chrono>
#include <fstream>

namespace {

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// ZooKeeper does not say which port it took, so it is given one that was free a moment ago.
int free_port() {
  const sys::Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  CHECK_THAT(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
  CHECK_THAT(getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  return ntohs(address.sin_port);
}

bool answers(int port) {
  const sys::Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = loopback(port);
  return connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace

ZookeeperServer::ZookeeperServer() : port_(free_port()) {
  std::ofstream file(folder_ / "zoo.cfg");
  file << "dataDir=" << (folder_ / "data").string() << "\nclientPort=" << port_
       << "\nclientPortAddress=127.0.0.1\ntickTime=200\nadmin.enableServer=false\nmaxClientCnxns="
          "0\n";
  file.close();
  start();
}

void ZookeeperServer::start() {
  // The classes' folder first, for its log settings: without them the server says nothing.
  server_ = std::make_unique<ChildProcess>(std::vector<std::string>{
      "/usr/bin/java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-Djute.maxbuffer=4194304", "-cp",
      "/usr/share/java/zookeeper.jar", "org.apache.zookeeper.server.ZooKeeperServerMain",
      (folder_ / "zoo.cfg").string()});
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!answers(port_)) CHECK_THAT(std::chrono::steady_clock::now() < deadline);
}
