package transport

import (
	_ "github.com/go-zookeeper/zk" // want only internal/keeper may
	_ "github.com/hashicorp/yamux"
	_ "github.com/someone/something" // want no package may yet
)
