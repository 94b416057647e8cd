package codec_test

import (
	"math/big"
	"net/netip"
	"time"

	"conclave/codec"
)

// Types whose methods codecgen writes, into lean_codec_test.go.
//
//go:generate go run conclave/cmd/codecgen -type leanNote,lean,leanBase,leanTree,leanArray,leanOptional,leanWide,leanList,leanID,leanBlob

type leanNote benchNote

// lean has a field for each way that values go.
type lean struct {
	leanBase
	B    bool
	I    int
	I8   int8
	I16  int16
	I32  int32
	I64  int64
	U    uint
	U8   uint8
	U16  uint16
	U32  uint32
	U64  uint64
	F32  float32
	F64  float64
	S    string
	By   []byte
	Arr  [4]byte
	Ints [3]int
	D    time.Duration
	T    time.Time
	P    *int
	PP   **string
	N    leanNote
	NP   *leanNote
	NS   []leanNote
	NPS  []*leanNote
	M    map[string]int
	MN   map[leanID]leanNote
	MU   map[uint8][]string
	Nest [][]map[string][2]float32
	A    any
	E    error
	J    job
	JS   []job
	ID   leanID
	Lvl  level
	List leanList
	Big  big.Int
	Addr netip.Addr
	Mine []mine
	Keys map[any]int
	Anon struct{ X, Y int }
	Big2 [2]big.Int
	name string
}

type mine uint8

type leanID string

type leanBlob []byte

type leanList []leanNote

// leanBase is embedded: its fields are the outer struct's own.
type leanBase struct {
	Seq    uint64 `msgpack:"seq,alias:number"`
	Text   string
	S      int      // hidden in lean
	Hidden chan int `msgpack:"-"`
}

type leanTree struct {
	Name string `msgpack:"n"`
	Kids []leanTree
	Next *leanTree
	More map[string]*leanTree
}

type leanArray struct {
	_msgpack struct{} `msgpack:",as_array"`
	A        int
	B        string `msgpack:",omitempty"`
	C        []*leanArray
	D        any
}

type leanOptional struct {
	_msgpack struct{} `msgpack:",omitempty"`
	A        int
	B        string
	C        []int
	D        map[string]int
	E        *int
	F        any
	G        float64
	H        time.Time
	I        bool
	J        [2]int
	K        leanNote
	L        [2]byte
	M        error
}

type leanWide struct {
	A, B, C, D, E, F, G, H, I, J, K, L, M, N, O int
	P                                           int `msgpack:",omitempty"`
	Q                                           int
	R                                           string `msgpack:"a name of more than thirty-one bytes,omitempty"`
}

var (
	_ codec.Appender = leanNote{}
	_ codec.Reader   = (*leanNote)(nil)
)
