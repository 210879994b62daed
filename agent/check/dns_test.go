package check

import (
	"net"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// nameserver answers for shop.test. A with two addresses and has nothing else.
func nameserver(t *testing.T) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			q := m.Questions[0]
			m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
			switch {
			case q.Name.String() != "shop.test.":
				m.RCode = dnsmessage.RCodeNameError
			case q.Type == dnsmessage.TypeA:
				for _, last := range []byte{1, 2} {
					m.Answers = append(m.Answers, dnsmessage.Resource{
						Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1},
						Body:   &dnsmessage.AResource{A: [4]byte{192, 0, 2, last}},
					})
				}
			}
			if b, err := m.Pack(); err == nil {
				conn.WriteTo(b, from)
			}
		}
	}()
	return conn.LocalAddr().String()
}

func TestDNS(t *testing.T) {
	server := nameserver(t)
	for settings, want := range map[string]float64{
		"query: shop.test.":                      0,
		"query: shop.test., expect: [192.0.2.2]": 0,
		"query: shop.test., expect: [192.0.2.9]": 2,
		"query: shop.test., warn: 1ns":           1,
		"query: none.test.":                      2,
		"query: shop.test., type: MX":            2,
	} {
		got, err := collect(t, open(t, "{name: a, timeout: 2s, dns: {server: '"+server+"', "+settings+"}}"))
		if err != nil || got[stateOfA] != want {
			t.Errorf("%s: state %v, error %v, want %v: %v", settings, got[stateOfA], err, want, got)
		}
	}
}
