package actor_test

import (
	"testing"
	"testing/synctest"
	"time"

	_ "github.com/go-zookeeper/zk"

	_ "conclave/actor"
	_ "conclave/conclavetest"
)

func TestSleep(t *testing.T) {
	synctest.Test(t, func(*testing.T) { time.Sleep(time.Hour) })
}
