package zkdev

import "time"

// traffic is what the four-letter words tell of a connection or of all.
type traffic struct {
	received, sent int // packets
	since, at      time.Time
	op, xid        int32 // of the latest request
	zxid           int64 // of its reply
}

// opLabels are ZooKeeper's names for the latest operation of a connection.
var opLabels = map[int32]string{
	opCreate: "CREA", opCreate2: "CREA", opCreateContainer: "CREA", opCreateTTL: "CREA",
	opDelete: "DELE", opExists: "EXIS", opGetData: "GETD", opSetData: "SETD", opGetACL: "GETA", opSetACL: "SETA",
	opGetChildren: "GETC", opGetChildren2: "GETC", opGetAllChildrenNumber: "GETACN", opGetEphemerals: "GETE",
	opSync: "SYNC", opPing: "PING", opCheck: "CHEC", opMulti: "MULT", opMultiRead: "MLTR",
	opSetWatches: "SETW", opSetWatches2: "STW2", opAddWatch: "ADDW", opCheckWatches: "CHKW", opRemoveWatches: "REMW",
	opWhoAmI: "HOMI", opReconfig: "RECO", opCloseSession: "CLOS",
}

func opLabel(op int32) string {
	if label, ok := opLabels[op]; ok {
		return label
	}
	return "SESS"
}

// took notes a request.
func (c *conn) took(op, xid int32) {
	c.s.traffic.received++
	t := &c.traffic
	t.received++
	t.op, t.xid, t.at = op, xid, time.Now()
	t.zxid = c.s.zxid
}
