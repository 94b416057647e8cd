package transport

import (
	"fmt"
	"io"
	"slices"
	"testing"
	"time"
)

// benchPair is a connection over TCP loopback.
func benchPair(b *testing.B) (d, a Conn) {
	l, err := NewTCP().Listen(b.Context(), "127.0.0.1:0", Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	if d, err = NewTCP().Dial(b.Context(), l.Addr(), Options{}); err != nil {
		b.Fatal(err)
	}
	if a, err = l.Accept(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { d.Close(); a.Close() })
	return d, a
}

// BenchmarkLaneBatches sends messages in batches through an Encoder, TCP
// loopback and a Decoder, both ends in this process. One op is one message.
func BenchmarkLaneBatches(b *testing.B) {
	for _, c := range []struct{ body, batch int }{{64, 64 << 10}, {64, 16 << 10}, {64, 4 << 10}, {1024, 64 << 10}, {64 << 10, 64 << 10}, {1 << 20, 1 << 20}} {
		b.Run(fmt.Sprintf("body=%d,batch=%d", c.body, c.batch), func(b *testing.B) {
			d, a := benchPair(b)
			done := make(chan error, 1)
			count := b.N
			b.SetBytes(int64(c.body))
			b.ReportAllocs()
			b.ResetTimer()
			go func() {
				dec := NewDecoder(LaneReader(a, Messages), 0)
				var f Frame
				for range count {
					if err := dec.Next(&f); err != nil {
						done <- err
						return
					}
				}
				done <- nil
			}()
			e := NewEncoder(d.MaxFrame())
			f := Frame{Kind: Message, From: 300, To: 800, Type: "bench.Message", Body: make([]byte, c.body)}
			batch := make([]byte, 0, c.batch+c.body+100)
			for range count {
				if batch, _ = e.Append(batch, &f); len(batch) >= c.batch {
					if err := d.Write(Messages, batch); err != nil {
						b.Fatal(err)
					}
					batch = batch[:0]
				}
			}
			if err := d.Write(Messages, batch); err != nil {
				b.Fatal(err)
			}
			if err := <-done; err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(count)/b.Elapsed().Seconds(), "frames/s")
		})
	}
}

// BenchmarkRoundTrip is a message of 64 bytes there and back.
func BenchmarkRoundTrip(b *testing.B) {
	d, a := benchPair(b)
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := a.Read(Messages, buf)
			if err != nil || a.Write(Messages, buf[:n]) != nil {
				return
			}
		}
	}()
	out, in := make([]byte, 70), make([]byte, 70)
	times := make([]time.Duration, 0, 1<<20)
	for b.Loop() {
		start := time.Now()
		if err := d.Write(Messages, out); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(LaneReader(d, Messages), in); err != nil {
			b.Fatal(err)
		}
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Nanoseconds())/1e3, "p50-µs")
	b.ReportMetric(float64(times[len(times)*99/100].Nanoseconds())/1e3, "p99-µs")
}

// BenchmarkLink is the time from dialling to a link, with a secret.
func BenchmarkLink(b *testing.B) {
	o := Options{Secret: []byte("secret"), Hello: make([]byte, 100)}
	l, err := NewTCP().Listen(b.Context(), "127.0.0.1:0", o)
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	for b.Loop() {
		d, err := NewTCP().Dial(b.Context(), l.Addr(), o)
		if err != nil {
			b.Fatal(err)
		}
		a, err := l.Accept()
		if err != nil {
			b.Fatal(err)
		}
		d.Close()
		a.Close()
	}
}
