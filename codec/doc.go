// Package codec turns the body of a message into bytes and back: msgpack, and
// the stable name of the body's type. Nothing is registered: any type can be
// sent, and the receiver says what it wants the bytes to be.
//
//	buf, name, err := codec.Append(nil, Job{Text: "dig"}) // name is "main.Job"
//
//	if codec.Is(name, reflect.TypeFor[Job]()) {
//		var job Job
//		err = codec.Decode(name, buf, &job)
//	}
//
// # What can be sent
//
// Strings, numbers, booleans, slices, arrays, maps, structs and pointers to
// these, [time.Time] and [time.Duration], interface fields of type any or error.
// Of a struct travel the exported fields, under their Go names or the names that
// a `msgpack:"…"` tag gives; the receiver leaves out fields it does not know and
// has zero in fields it was not sent, so versions of a type can mix. A type with
// methods of its own for the msgpack library (CustomEncoder, Marshaler and their decoding
// halves) is written and read by these, otherwise by MarshalBinary and
// UnmarshalBinary, or MarshalText and UnmarshalText, if it has both.
//
// All this is done by reflection. A type that has the methods of [Appender] and
// [Reader] goes the direct way, in about half the time; conclave/cmd/codecgen
// writes them, in the same form:
//
//	//go:generate go run conclave/cmd/codecgen -type Job
//
// What cannot be sent is an [ErrEncode] that names the type and the field:
// channels, functions, complex numbers, structs of unexported fields only,
// cycles and anything nested deeper than [MaxDepth].
//
// # Names
//
// A type is called as reflect prints it, main.Job, or as its method
// ConclaveType() string says; a pointer and what it points at have one name.
// See [Name], and [OnCollision] for two types of one name. The forms on the wire
// are specified in docs/wire.md.
//
// # Bytes from elsewhere
//
// [Decode] and [Value] take bytes from anybody: they never panic, and the memory
// they take is bounded by the bytes that are there, not by the lengths these
// claim. A decoded value shares no memory with the bytes, but for a large []byte
// that is most of them: see [Decode].
//
// # Concurrency
//
// All functions may be called from any goroutine. Append reads the body: nobody
// may change it meanwhile.
package codec
