package amqp

import (
	"bytes"
	"reflect"
	"testing"
)

func FuzzFrames(f *testing.F) {
	f.Add(AppendFrame(nil, Frame{Type: FrameBody, Channel: 1, Payload: []byte("body")}))
	f.Add([]byte(ProtocolHeader))
	f.Fuzz(func(_ *testing.T, b []byte) {
		r := NewFrameReader(bytes.NewReader(b))
		for {
			if _, err := r.Next(); err != nil {
				return
			}
		}
	})
}

func FuzzMethods(f *testing.F) {
	for class := range uint32(100) {
		for number := range uint32(130) {
			if m := newMethod(MethodID(class<<16 | number)); m != nil {
				fill(reflect.ValueOf(m).Elem())
				b, err := AppendMethod(nil, m)
				if err != nil {
					f.Fatal(err)
				}
				f.Add(b)
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseMethod(b)
		if err != nil {
			return
		}
		out, err := AppendMethod(nil, m)
		if err != nil {
			t.Fatalf("%#v cannot be encoded: %v", m, err)
		}
		if again, err := ParseMethod(out); err != nil {
			t.Fatalf("%#v cannot be decoded: %v", again, err)
		}
	})
}

func FuzzTables(f *testing.F) {
	b, err := Table{"a": []any{Table{"b": "c"}, int64(1)}, "d": Decimal{1, 2}}.Append(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b[4:])
	f.Fuzz(func(t *testing.T, b []byte) {
		table, err := ParseTable(b)
		if err != nil {
			return
		}
		out, err := table.Append(nil)
		if err != nil {
			t.Fatalf("%v cannot be encoded: %v", table, err)
		}
		if _, err := ParseTable(out[4:]); err != nil {
			t.Fatalf("%v cannot be decoded: %v", table, err)
		}
	})
}

func FuzzProperties(f *testing.F) {
	b, err := Properties{ContentType: "a", Headers: Table{"b": "c"}, DeliveryMode: 2, AppID: "d"}.Append(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseProperties(b)
		if err != nil {
			return
		}
		if mode, err := DeliveryMode(b); err != nil || mode != p.DeliveryMode {
			t.Fatalf("DeliveryMode: got %d, %v, want %d", mode, err, p.DeliveryMode)
		}
		if _, err := p.Append(nil); err != nil {
			t.Fatalf("%+v cannot be encoded: %v", p, err)
		}
	})
}
