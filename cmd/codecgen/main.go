// Codecgen writes the methods by which types of messages go the direct way: the
// AppendMsgpack and ReadMsgpack of conclave/codec. What they write and take is
// what the type has without them, so nodes with and without them understand each
// other; only it is done in about half the time.
//
// In the file with the types:
//
//	//go:generate go run conclave/cmd/codecgen -type Job,Taken
//
// and after each change of them go generate: a file made before the change no
// longer compiles. Fields whose types have no such methods and are not made of
// basic types, an any for one, go by reflection; so name all struct types that
// the types consist of.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	names := flag.String("type", "", "the types, separated by commas")
	out := flag.String("out", "", "the file to write (default: messages_codec.go for messages.go)")
	flag.Parse()
	file := os.Getenv("GOFILE")
	if *out == "" && file != "" {
		*out = defaultOut(file)
	}
	if *names == "" || *out == "" || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "codecgen is run by go generate: //go:generate go run conclave/cmd/codecgen -type Job,Taken")
		flag.PrintDefaults()
		os.Exit(2)
	}
	src, err := generate(".", os.Getenv("GOPACKAGE"), *out, strings.Split(*names, ","))
	if err == nil {
		err = os.WriteFile(*out, src, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "codecgen:", err)
		os.Exit(1)
	}
}

func defaultOut(file string) string {
	base, isTest := strings.CutSuffix(strings.TrimSuffix(filepath.Base(file), ".go"), "_test")
	if isTest {
		return base + "_codec_test.go"
	}
	return base + "_codec.go"
}
