package judges

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// A front stands in for one server process of an ensemble. It is what our
// zkServer.sh runs: it reads the configuration file that the client's tests
// wrote, listens on the port it asks for, and passes bytes between each client
// and its member of the ensemble in the hall. Killed, it breaks its
// connections as a killed server does, while data and sessions stay, as they
// would on a disk.

// hallVar tells a process that it is a front, and where the hall is.
const hallVar = "CONCLAVE_JUDGES_HALL"

// front serves until it is killed. args are those of zkServer.sh.
func front(hall string, args []string) error {
	if len(args) != 2 || args[0] != "start-foreground" {
		return fmt.Errorf("zkServer.sh: want start-foreground FILE, not %q", args)
	}
	text, err := os.ReadFile(args[1])
	if err != nil {
		return err
	}
	cfg := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		cfg[key] = value
	}
	l, err := net.Listen("tcp", "127.0.0.1:"+cfg["clientPort"])
	if err != nil {
		return err
	}
	id, err := os.ReadFile(filepath.Join(cfg["dataDir"], "myid"))
	if err != nil {
		return err
	}
	// The folders of an ensemble's servers lie side by side.
	hello := fmt.Sprintf("%s %s %s\n", cfg["tickTime"], strings.TrimSpace(string(id)), filepath.Dir(cfg["dataDir"]))
	for {
		client, err := l.Accept()
		if err != nil {
			return err
		}
		go relay(client, hall, hello)
	}
}

func relay(client net.Conn, hall, hello string) {
	defer client.Close()
	server, err := net.Dial("unix", hall)
	if err != nil {
		return
	}
	defer server.Close()
	if _, err := io.WriteString(server, hello); err != nil {
		return
	}
	go func() {
		io.Copy(server, client)
		server.Close()
	}()
	io.Copy(client, server)
}
