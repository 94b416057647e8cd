//go:build never

package zkdev

import _ "github.com/vmihailenco/msgpack/v5/msgpcode" // want only codec may
