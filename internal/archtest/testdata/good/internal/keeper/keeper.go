package keeper

import (
	_ "github.com/go-zookeeper/zk"
	_ "golang.org/x/sys/unix"
)
