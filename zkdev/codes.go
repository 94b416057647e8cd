package zkdev

import (
	"errors"
	"fmt"
)

// code is an error code of ZooKeeper's protocol.
type code int32

const (
	codeOK                      code = 0
	codeRuntimeInconsistency    code = -2
	codeMarshalling             code = -5
	codeUnimplemented           code = -6
	codeBadArguments            code = -8
	codeNoNode                  code = -101
	codeNoAuth                  code = -102
	codeBadVersion              code = -103
	codeNoChildrenForEphemerals code = -108
	codeNodeExists              code = -110
	codeNotEmpty                code = -111
	codeSessionExpired          code = -112
	codeInvalidACL              code = -114
	codeAuthFailed              code = -115
	codeSessionMoved            code = -118
	codeNoWatcher               code = -121
	codeReconfigDisabled        code = -123
)

func (c code) Error() string { return fmt.Sprintf("zkdev: error %d", int32(c)) }

// codeOf is what the client is told about err.
func codeOf(err error) code {
	var c code
	switch {
	case err == nil:
		return codeOK
	case errors.As(err, &c):
		return c
	default:
		return codeMarshalling
	}
}

// Operation codes of requests.
const (
	opCreate               = 1
	opDelete               = 2
	opExists               = 3
	opGetData              = 4
	opSetData              = 5
	opGetACL               = 6
	opSetACL               = 7
	opGetChildren          = 8
	opSync                 = 9
	opPing                 = 11
	opGetChildren2         = 12
	opCheck                = 13
	opMulti                = 14
	opCreate2              = 15
	opReconfig             = 16
	opCheckWatches         = 17
	opRemoveWatches        = 18
	opCreateContainer      = 19
	opDeleteContainer      = 20
	opCreateTTL            = 21
	opMultiRead            = 22
	opSetAuth              = 100
	opSetWatches           = 101
	opSASL                 = 102
	opGetEphemerals        = 103
	opGetAllChildrenNumber = 104
	opSetWatches2          = 105
	opAddWatch             = 106
	opWhoAmI               = 107
	opCloseSession         = -11
	opError                = -1
)

// Transaction ids of packets that are no reply to a numbered request.
const (
	xidEvent = -1
	xidPing  = -2
)
