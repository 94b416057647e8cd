package otel

import "encoding/binary"

// carrier is a propagation.TextMapCarrier: names and values, one behind the other.
type carrier []string

func (c *carrier) Get(name string) string {
	for i := 0; i < len(*c); i += 2 {
		if (*c)[i] == name {
			return (*c)[i+1]
		}
	}
	return ""
}

func (c *carrier) Set(name, value string) {
	for i := 0; i < len(*c); i += 2 {
		if (*c)[i] == name {
			(*c)[i+1] = value
			return
		}
	}
	*c = append(*c, name, value)
}

func (c *carrier) Keys() (names []string) {
	for i := 0; i < len(*c); i += 2 {
		names = append(names, (*c)[i])
	}
	return names
}

// encode is how a carrier travels: each string a uvarint length and bytes.
func (c *carrier) encode() string {
	var data []byte
	for _, s := range *c {
		data = binary.AppendUvarint(data, uint64(len(s)))
		data = append(data, s...)
	}
	return string(data)
}

// decode reads what encode wrote. Of bytes that are something else it takes what it
// understands: a broken trace context breaks a trace, and no message.
func decode(sent string) *carrier {
	data := []byte(sent)
	var c carrier
	for len(data) > 0 {
		size, n := binary.Uvarint(data)
		if n <= 0 || size > uint64(len(data)-n) {
			break
		}
		c = append(c, string(data[n:n+int(size)]))
		data = data[n+int(size):]
	}
	c = c[:len(c)&^1]
	return &c
}
