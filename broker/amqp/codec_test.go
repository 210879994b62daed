package amqp

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"
)

// unhex decodes hexadecimal digits with spaces between.
func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatalf("bad hex in the test: %v", err)
	}
	return b
}

// methodCases pairs bytes with methods; an error text instead of a method means
// that the bytes must be refused.
var methodCases = []struct {
	name   string
	bytes  string
	method Method
	err    string
}{
	{"tune", "000a001e 07ff 00020000 003c", &ConnectionTune{ChannelMax: 2047, FrameMax: 131072, Heartbeat: 60}, ""},
	{"close-ok", "000a0033", &ConnectionCloseOk{}, ""},
	{"update-secret", "000a0046 00000001 61 0162", &ConnectionUpdateSecret{NewSecret: "a", Reason: "b"}, ""},
	{"blocked", "000a003c 03 6d656d", &ConnectionBlocked{Reason: "mem"}, ""},
	{
		"queue.declare, bits packed", "0032000a 0000 0171 0b 00000000",
		&QueueDeclare{Queue: "q", Passive: true, Durable: true, AutoDelete: true}, "",
	},
	{"publish", "003c0028 0000 0165 026b31 01", &BasicPublish{Exchange: "e", RoutingKey: "k1", Mandatory: true}, ""},
	{
		"deliver", "003c003c 0163 0000000000000007 01 0165 016b",
		&BasicDeliver{ConsumerTag: "c", DeliveryTag: 7, Redelivered: true, Exchange: "e", RoutingKey: "k"}, "",
	},
	{"nack", "003c0078 0000000000000002 03", &BasicNack{DeliveryTag: 2, Multiple: true, Requeue: true}, ""},
	{"confirm.select", "0055000a 01", &ConfirmSelect{NoWait: true}, ""},
	{
		"exchange.bind with arguments", "0028001e 0000 0164 0173 016b 00 00000009 01 61 53 00000002 6869",
		&ExchangeBind{Destination: "d", Source: "s", RoutingKey: "k", Arguments: Table{"a": "hi"}}, "",
	},
	{"no id", "003c00", nil, "FRAME_ERROR"},
	{"unknown id", "003c03e7", nil, "NOT_IMPLEMENTED - unknown method 60.999"},
	{"truncated", "003c0028 0000 0565", nil, "FRAME_ERROR - cannot decode basic.publish: truncated field"},
	{"trailing", "000a0033 00", nil, "FRAME_ERROR - cannot decode connection.close-ok: 1 bytes follow"},
	{"table longer than frame", "0028001e 0000 0164 0173 016b 00 000000ff 01", nil, "FRAME_ERROR"},
	{"unknown field type", "0028001e 0000 0164 0173 016b 00 00000003 01 61 3f", nil, "unknown field type '?'"},
}

func TestMethods(t *testing.T) {
	for _, c := range methodCases {
		t.Run(c.name, func(t *testing.T) {
			in := unhex(t, c.bytes)
			m, err := ParseMethod(in)
			if c.err != "" {
				if e := new(Error); !errors.As(err, &e) || !strings.Contains(e.Text, c.err) || e.Channel {
					t.Fatalf("got error %v, want a connection error with %q", err, c.err)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(m, c.method) {
				t.Fatalf("got %#v, %v, want %#v", m, err, c.method)
			}
			out, err := AppendMethod(nil, m)
			if err != nil || !bytes.Equal(out, in) {
				t.Fatalf("encoded again: got %x, %v, want %x", out, err, in)
			}
		})
	}
}

// TestEveryMethodRoundTrips fills every generated struct and encodes it.
func TestEveryMethodRoundTrips(t *testing.T) {
	count := 0
	for class := range uint32(100) {
		for number := range uint32(130) {
			m := newMethod(MethodID(class<<16 | number))
			if m == nil {
				continue
			}
			count++
			fill(reflect.ValueOf(m).Elem())
			b, err := AppendMethod(nil, m)
			if err != nil {
				t.Fatalf("%s: %v", m.ID(), err)
			}
			again, err := ParseMethod(b)
			if err != nil || !reflect.DeepEqual(again, m) {
				t.Errorf("%s: got %#v, %v, want %#v", m.ID(), again, err, m)
			}
		}
	}
	if count != 64 {
		t.Errorf("got %d methods, want 64", count)
	}
}

func fill(v reflect.Value) {
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.Bool:
			f.SetBool(i%2 == 0)
		case reflect.String:
			f.SetString(v.Type().Field(i).Name)
		case reflect.Map:
			f.Set(reflect.ValueOf(Table{"k": int64(i)}))
		default:
			f.SetUint(uint64(i + 1))
		}
	}
}

func TestTableValues(t *testing.T) {
	want := Table{
		"nil": nil, "bool": true, "b": int8(-1), "B": uint8(200), "s": int16(-2), "u": uint16(60000),
		"I": int32(-3), "i": uint32(4e9), "l": int64(-4), "f": float32(1.5), "d": 2.5,
		"D": Decimal{Scale: 2, Value: 314}, "S": "text", "x": []byte{1, 2},
		"T": time.Unix(1700000000, 0).UTC(), "F": Table{"in": "side"}, "A": []any{int32(1), "two", Table{}},
	}
	b, err := want.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseTable(b[4:])
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	for cut := 1; cut < len(b)-4; cut++ {
		if part, err := ParseTable(b[4 : 4+cut]); err == nil && len(part) >= len(want) {
			t.Errorf("cut after %d bytes: parsed whole", cut)
		}
	}
}

func TestTableLimits(t *testing.T) {
	deep := Table{}
	for range maxTableDepth {
		deep = Table{"t": deep}
	}
	wide := make([]any, maxTableValues+1)
	for name, table := range map[string]Table{"deep": deep, "wide": {"a": wide}} {
		b, err := table.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseTable(b[4:]); err == nil {
			t.Errorf("%s: parsed", name)
		}
	}
	if _, err := (Table{strings.Repeat("k", 256): 1}).Append(nil); err == nil {
		t.Error("encoded a key of 256 bytes")
	}
	if _, err := (Table{"k": struct{}{}}).Append(nil); err == nil {
		t.Error("encoded a struct")
	}
}

func TestProperties(t *testing.T) {
	full := Properties{
		ContentType: "text/plain", ContentEncoding: "gzip", Headers: Table{"h": int32(1)}, DeliveryMode: Persistent,
		Priority: 3, CorrelationID: "c", ReplyTo: "r", Expiration: "100", MessageID: "m",
		Timestamp: time.Unix(1700000000, 0).UTC(), Type: "t", UserID: "u", AppID: "a", ClusterID: "x",
	}
	b, err := full.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	full.Flags = ^flagsUnknown
	got, err := ParseProperties(b)
	if err != nil || !reflect.DeepEqual(got, full) {
		t.Errorf("got %+v, %v, want %+v", got, err, full)
	}
	if mode, err := DeliveryMode(b); err != nil || mode != Persistent {
		t.Errorf("delivery mode: got %d, %v, want %d", mode, err, Persistent)
	}
	for cut := range len(b) {
		if _, err := ParseProperties(b[:cut]); err == nil {
			t.Errorf("cut after %d bytes: parsed", cut)
		}
	}
	if got, err := ParseProperties(NoProperties[:]); err != nil || !reflect.DeepEqual(got, Properties{}) {
		t.Errorf("none: got %+v, %v", got, err)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = DeliveryMode(b) }); n != 0 {
		t.Errorf("DeliveryMode allocates %v times", n)
	}
}

func TestPropertiesThatArePresentButZero(t *testing.T) {
	p := Properties{Flags: FlagDeliveryMode | FlagHeaders | FlagReplyTo}
	b, err := p.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := unhex(t, "3200 00000000 00 00"); !bytes.Equal(b, want) {
		t.Errorf("got %x, want %x", b, want)
	}
}

func TestFrames(t *testing.T) {
	cases := []struct {
		name  string
		bytes string
		want  Frame
		err   string
	}{
		{"heartbeat", "08 0000 00000000 ce", Frame{Type: FrameHeartbeat, Payload: []byte{}}, ""},
		{"body", "03 0102 00000002 6869 ce", Frame{Type: FrameBody, Channel: 258, Payload: []byte("hi")}, ""},
		{"nothing", "", Frame{}, "EOF"},
		{"cut in the head", "03 0102", Frame{}, "unexpected EOF"},
		{"cut in the payload", "03 0102 00000002 68", Frame{}, "unexpected EOF"},
		{"bad end", "03 0102 00000002 6869 cf", Frame{}, "{invalid_frame_end_marker,207}"},
		{"bad type", "07 0102 00000002 6869 ce", Frame{}, "FRAME_ERROR - type 7, all octets = <<\"hi\">>: unknown_frame"},
		{"too large", "01 0001 00001ff9", Frame{}, "{frame_too_large,8185,8184}"},
		{"far too large", "01 0001 ffffffff", Frame{}, "{frame_too_large,4294967295,8184}"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			in := unhex(t, c.bytes)
			f, err := NewFrameReader(bytes.NewReader(in)).Next()
			if c.err != "" {
				if err == nil || !strings.HasSuffix(err.Error(), c.err) {
					t.Fatalf("got error %v, want %q", err, c.err)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(f, c.want) {
				t.Fatalf("got %+v, %v, want %+v", f, err, c.want)
			}
			if out := AppendFrame(nil, f); !bytes.Equal(out, in) {
				t.Errorf("encoded again: got %x, want %x", out, in)
			}
		})
	}
}

// TestContentIsSplit reads back, byte by byte, a body of several frames.
func TestContentIsSplit(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789"), 3000)
	b := AppendContent(nil, 1, NoProperties[:], body, FrameMin)
	if want := ContentSize(NoProperties[:], body, FrameMin); len(b) != want {
		t.Errorf("got %d bytes, ContentSize says %d", len(b), want)
	}
	r := NewFrameReader(iotest{bytes.NewReader(b)})
	f, err := r.Next()
	if err != nil || f.Type != FrameHeader {
		t.Fatalf("got %+v, %v", f, err)
	}
	if h, err := ParseContentHeader(f.Payload); err != nil || h.BodySize != uint64(len(body)) || h.ClassID != 60 {
		t.Fatalf("got %+v, %v", h, err)
	}
	var got []byte
	for len(got) < len(body) {
		f, err := r.Next()
		if err != nil || f.Type != FrameBody {
			t.Fatalf("got %+v, %v", f, err)
		}
		got = append(got, f.Payload...)
	}
	if !bytes.Equal(got, body) {
		t.Error("the body differs")
	}
	if _, err := r.Next(); err != io.EOF {
		t.Errorf("got %v, want EOF", err)
	}
}

// iotest gives one byte per read.
type iotest struct{ r io.Reader }

func (r iotest) Read(b []byte) (int, error) { return r.r.Read(b[:1]) }

func TestMethodsOfAStreamAllocateNothing(t *testing.T) {
	d := NewDecoder()
	payload, err := AppendMethod(nil, &BasicPublish{Exchange: "thump.metrics", RoutingKey: "group.host.cpu"})
	if err != nil {
		t.Fatal(err)
	}
	var m BasicPublish
	decode := func() {
		if err := d.Decode(payload, &m); err != nil {
			t.Fatal(err)
		}
	}
	decode()
	if n := testing.AllocsPerRun(100, decode); n != 0 {
		t.Errorf("decoding a repeated publish allocates %v times", n)
	}
	out := make([]byte, 0, 1024)
	encode := func() {
		if _, err := AppendMethodFrame(out, 1, &m); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(100, encode); n != 0 {
		t.Errorf("encoding allocates %v times", n)
	}
}

func TestErrorsKnowTheirBlastRadius(t *testing.T) {
	e := ChannelError(NotFound, "no queue '%s' in vhost '%s'", "x", "/")
	if want := "NOT_FOUND - no queue 'x' in vhost '/'"; e.Text != want || !e.Channel || e.Code != 404 {
		t.Errorf("got %+v, want %q on the channel", e, want)
	}
	if e := ConnectionError(FrameError, "x"); e.Channel {
		t.Errorf("got %+v, want one of the connection", e)
	}
}

func TestAppendDeliverIsTheMethod(t *testing.T) {
	for _, m := range []BasicDeliver{
		{ConsumerTag: "c", DeliveryTag: 1 << 40, Redelivered: true, Exchange: "e", RoutingKey: strings.Repeat("k", 255)},
		{},
	} {
		want, err := AppendMethodFrame(nil, 7, &m)
		if got := AppendDeliver(nil, 7, &m); err != nil || !bytes.Equal(got, want) {
			t.Errorf("got %x, want %x, %v", got, want, err)
		}
	}
}
