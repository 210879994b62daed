package broker_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"thump/broker"
	"thump/broker/amqp"
	"thump/internal/config"
)

// peer is a client that may break every rule.
type peer struct {
	t      *testing.T
	conn   net.Conn
	frames *amqp.FrameReader
}

func (s *server) peer(t *testing.T) *peer {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr().String())
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	must(t, conn.SetDeadline(time.Now().Add(patience)))
	return &peer{t: t, conn: conn, frames: amqp.NewFrameReader(conn)}
}

func (p *peer) write(b ...byte) {
	p.t.Helper()
	if _, err := p.conn.Write(b); err != nil {
		p.t.Fatal("write:", err)
	}
}

func (p *peer) send(channel uint16, m amqp.Method) {
	p.t.Helper()
	b, err := amqp.AppendMethodFrame(nil, channel, m)
	must(p.t, err)
	p.write(b...)
}

// next returns the next method, whatever its channel.
func (p *peer) next() amqp.Method {
	p.t.Helper()
	for {
		f, err := p.frames.Next()
		if err != nil {
			p.t.Fatal("read:", err)
		}
		if f.Type != amqp.FrameMethod {
			continue
		}
		m, err := amqp.ParseMethod(f.Payload)
		must(p.t, err)
		return m
	}
}

func wait[M amqp.Method](p *peer) M {
	p.t.Helper()
	m := p.next()
	want, ok := m.(M)
	if !ok {
		p.t.Fatalf("got %s %+v, want %s", m.ID(), m, want.ID())
	}
	return want
}

// gone checks that the broker closes the connection and says nothing more.
func (p *peer) gone() {
	p.t.Helper()
	b, err := io.ReadAll(p.conn)
	if err != nil && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "reset") {
		p.t.Errorf("read: %v, want the end", err)
	}
	if len(b) > 0 {
		p.t.Errorf("got %q, want the end", b)
	}
}

// login goes through the handshake up to an open channel 1.
func (p *peer) login() *peer { return p.enter("/") }

func (p *peer) enter(vhost string) *peer {
	p.t.Helper()
	p.write([]byte(amqp.ProtocolHeader)...)
	wait[*amqp.ConnectionStart](p)
	p.send(0, &amqp.ConnectionStartOk{Mechanism: "PLAIN", Response: "\x00guest\x00guest", Locale: "en_US"})
	tune := wait[*amqp.ConnectionTune](p)
	p.send(0, &amqp.ConnectionTuneOk{ChannelMax: tune.ChannelMax, FrameMax: tune.FrameMax})
	p.frames.SetMax(int(tune.FrameMax))
	p.send(0, &amqp.ConnectionOpen{VirtualHost: vhost})
	wait[*amqp.ConnectionOpenOk](p)
	p.send(1, &amqp.ChannelOpen{})
	wait[*amqp.ChannelOpenOk](p)
	return p
}

// wantClose waits for connection.close, answers it, and sees the end.
func (p *peer) wantClose(code uint16, text string) {
	p.t.Helper()
	m := wait[*amqp.ConnectionClose](p)
	if m.ReplyCode != code || !strings.Contains(m.ReplyText, text) {
		p.t.Errorf("closed with %d %q, want %d %q", m.ReplyCode, m.ReplyText, code, text)
	}
	p.send(0, &amqp.ConnectionCloseOk{})
	must(p.t, p.conn.(*net.TCPConn).CloseWrite())
	p.gone()
}

func frame(kind uint8, channel uint16, payload string) []byte {
	return amqp.AppendFrame(nil, amqp.Frame{Type: kind, Channel: channel, Payload: []byte(payload)})
}

func content(class uint16, size uint64, properties ...byte) string {
	b := binary.BigEndian.AppendUint16(nil, class)
	b = binary.BigEndian.AppendUint64(append(b, 0, 0), size)
	if len(properties) == 0 {
		properties = amqp.NoProperties[:]
	}
	return string(append(b, properties...))
}

func TestHostileBeforeTheHandshake(t *testing.T) {
	s := start(t, func(c *broker.Config) { c.HandshakeTimeout = config.Duration(300 * time.Millisecond) })
	for name, attack := range map[string]func(p *peer){
		"another protocol": func(p *peer) {
			p.write([]byte("GET / HTTP/1.1\r\n\r\n")...)
			got := make([]byte, 8)
			if _, err := io.ReadFull(p.conn, got); err != nil || string(got) != amqp.ProtocolHeader {
				t.Errorf("got %q, %v, want the protocol header", got, err)
			}
			p.gone()
		},
		"frames instead of a header": func(p *peer) {
			p.write(frame(amqp.FrameHeartbeat, 0, "")...)
			_, err := io.ReadAll(p.conn)
			if err != nil && !strings.Contains(err.Error(), "reset") {
				t.Error(err)
			}
		},
		"silence": func(p *peer) { p.gone() },
		"a slow header": func(p *peer) {
			p.write('A')
			p.gone()
		},
		"silence after the header": func(p *peer) {
			p.write([]byte(amqp.ProtocolHeader)...)
			wait[*amqp.ConnectionStart](p)
			p.gone()
		},
		"no login": func(p *peer) {
			p.write([]byte(amqp.ProtocolHeader)...)
			wait[*amqp.ConnectionStart](p)
			p.send(0, &amqp.ConnectionOpen{VirtualHost: "/"})
			p.gone()
		},
		"a publish before the login": func(p *peer) {
			p.write([]byte(amqp.ProtocolHeader)...)
			wait[*amqp.ConnectionStart](p)
			p.send(1, &amqp.BasicPublish{})
			p.gone()
		},
		"a large frame before the login": func(p *peer) {
			p.write([]byte(amqp.ProtocolHeader)...)
			wait[*amqp.ConnectionStart](p)
			p.write(amqp.FrameMethod, 0, 0, 0, 1, 0, 0)
			p.gone()
		},
		"a wrong password, and no wish to be told": func(p *peer) {
			p.write([]byte(amqp.ProtocolHeader)...)
			wait[*amqp.ConnectionStart](p)
			p.send(0, &amqp.ConnectionStartOk{Mechanism: "PLAIN", Response: "\x00guest\x00no", Locale: "en_US"})
			p.gone()
		},
		"a wrong password, and a wish to be told": func(p *peer) {
			p.write([]byte(amqp.ProtocolHeader)...)
			wait[*amqp.ConnectionStart](p)
			p.send(0, &amqp.ConnectionStartOk{
				ClientProperties: amqp.Table{"capabilities": amqp.Table{"authentication_failure_close": true}},
				Mechanism:        "PLAIN", Response: "\x00guest\x00no", Locale: "en_US",
			})
			p.wantClose(403, "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile.")
		},
		"an unlimited frame size": func(p *peer) {
			p.write([]byte(amqp.ProtocolHeader)...)
			wait[*amqp.ConnectionStart](p)
			p.send(0, &amqp.ConnectionStartOk{Mechanism: "PLAIN", Response: "\x00guest\x00guest", Locale: "en_US"})
			wait[*amqp.ConnectionTune](p)
			p.send(0, &amqp.ConnectionTuneOk{ChannelMax: 1})
			p.wantClose(530, "NOT_ALLOWED - negotiated frame_max = 0 (no limit) is higher than the maximum allowed value (131072)")
		},
	} {
		t.Run(name, func(t *testing.T) {
			attack(s.peer(t))
		})
	}
	s.channel(t)
	eventually(t, "only the good connection is left", func() bool { return s.metric(t, "connections") == 1 })
}

func TestHostileOnAnOpenConnection(t *testing.T) {
	s := start(t)
	publish := func(p *peer) { p.send(1, &amqp.BasicPublish{RoutingKey: "q"}) }
	for _, c := range []struct {
		name   string
		attack func(p *peer)
		code   uint16
		text   string
	}{
		{"garbage", func(p *peer) { p.write([]byte("\x09garbage garbage")...) }, 501, "FRAME_ERROR - type 9, all octets = <<>>: {frame_too_large"},
		{"a bad frame end", func(p *peer) {
			b := frame(amqp.FrameHeartbeat, 0, "")
			b[len(b)-1] = 0
			p.write(b...)
		}, 501, "{invalid_frame_end_marker,0}"},
		{"an oversize frame", func(p *peer) { p.write(amqp.FrameBody, 0, 1, 0xff, 0, 0, 0) }, 501, "{frame_too_large,4278190080,131064}"},
		{"a channel that is not open", func(p *peer) { p.send(2, &amqp.BasicPublish{}) }, 504, "CHANNEL_ERROR - expected 'channel.open'"},
		{"a channel opened twice", func(p *peer) { p.send(1, &amqp.ChannelOpen{}) }, 504, "CHANNEL_ERROR - second 'channel.open' seen"},
		{"an unknown method", func(p *peer) { p.write(frame(amqp.FrameMethod, 1, "\x00\x3c\x03\xe7")...) }, 540, "NOT_IMPLEMENTED"},
		{"a method of the server", func(p *peer) { p.send(1, &amqp.BasicGetEmpty{}) }, 503, "COMMAND_INVALID - unimplemented method"},
		{"a connection method on a channel", func(p *peer) { p.send(1, &amqp.ConnectionOpen{}) }, 503, "COMMAND_INVALID"},
		{"a channel method on channel 0", func(p *peer) { p.send(0, &amqp.BasicPublish{}) }, 504, "CHANNEL_ERROR"},
		{"a truncated method", func(p *peer) { p.write(frame(amqp.FrameMethod, 1, "\x00\x3c\x00\x28\x00")...) }, 501, "FRAME_ERROR - cannot decode basic.publish"},
		{"a heartbeat on a channel", func(p *peer) { p.write(frame(amqp.FrameHeartbeat, 1, "")...) }, 505, "UNEXPECTED_FRAME"},
		{"a header without a method", func(p *peer) { p.write(frame(amqp.FrameHeader, 1, content(60, 1))...) },
			505, "UNEXPECTED_FRAME - expected method frame, got non method frame instead"},
		{"a body on channel 0", func(p *peer) { p.write(frame(amqp.FrameBody, 0, "x")...) }, 505, "UNEXPECTED_FRAME"},
		{"a method instead of a header", func(p *peer) { publish(p); publish(p) },
			505, "expected content header for class 60, got non content header frame instead"},
		{"a header of another class", func(p *peer) { publish(p); p.write(frame(amqp.FrameHeader, 1, content(50, 1))...) },
			505, "expected content header for class 60, got one for class 50 instead"},
		{"a method instead of a body", func(p *peer) {
			publish(p)
			p.write(frame(amqp.FrameHeader, 1, content(60, 1))...)
			publish(p)
		}, 505, "expected content body, got non content body frame instead"},
		{"a body that is too long", func(p *peer) {
			publish(p)
			p.write(frame(amqp.FrameHeader, 1, content(60, 1))...)
			p.write(frame(amqp.FrameBody, 1, "xx")...)
		}, 501, "expected 1 more bytes of content body, got 2"},
		{"properties that end early", func(p *peer) {
			publish(p)
			p.write(frame(amqp.FrameHeader, 1, content(60, 0, 0x80, 0x00, 0x09))...)
		}, 502, "SYNTAX_ERROR - cannot decode properties"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := s.peer(t).login()
			p.t = t
			c.attack(p)
			p.wantClose(c.code, c.text)
		})
	}
	s.channel(t)
	eventually(t, "only the good connection is left", func() bool { return s.metric(t, "connections") == 1 })
	if got := s.metric(t, "channels"); got != 1 {
		t.Errorf("%v channels, want 1", got)
	}
}

func TestClosingChannelIgnoresEverythingButTheAnswer(t *testing.T) {
	p := start(t).peer(t).login()
	p.send(1, &amqp.BasicConsume{Queue: "none"})
	if m := wait[*amqp.ChannelClose](p); m.ReplyCode != 404 || m.ClassID != 60 || m.MethodID != 20 {
		t.Errorf("got %+v", m)
	}
	p.send(1, &amqp.QueueDeclare{Queue: "ignored"})
	p.write(frame(amqp.FrameBody, 1, "stray")...)
	p.send(1, &amqp.ChannelCloseOk{})
	p.send(1, &amqp.ChannelOpen{})
	wait[*amqp.ChannelOpenOk](p)
	p.send(1, &amqp.QueueDeclare{Queue: "ignored", Passive: true})
	if m := wait[*amqp.ChannelClose](p); !strings.Contains(m.ReplyText, "no queue 'ignored'") {
		t.Errorf("got %+v", m)
	}
}

func TestHalfAPublishIsForgotten(t *testing.T) {
	s := start(t)
	p := s.peer(t).login()
	p.send(1, &amqp.QueueDeclare{Queue: "q"})
	wait[*amqp.QueueDeclareOk](p)
	p.send(1, &amqp.BasicPublish{RoutingKey: "q"})
	p.write(frame(amqp.FrameHeader, 1, content(60, 10))...)
	p.write(frame(amqp.FrameBody, 1, "half")...)
	p.conn.Close()
	eventually(t, "the connection is gone", func() bool { return s.metric(t, "connections") == 0 })
	if q := queue(t, s.channel(t), "q"); q.Messages != 0 {
		t.Errorf("%d messages, want none", q.Messages)
	}
}

func TestHeartbeatsDropASilentPeer(t *testing.T) {
	s := start(t)
	p := s.peer(t)
	p.write([]byte(amqp.ProtocolHeader)...)
	wait[*amqp.ConnectionStart](p)
	p.send(0, &amqp.ConnectionStartOk{Mechanism: "PLAIN", Response: "\x00guest\x00guest", Locale: "en_US"})
	wait[*amqp.ConnectionTune](p)
	p.send(0, &amqp.ConnectionTuneOk{ChannelMax: 1, FrameMax: amqp.FrameMin, Heartbeat: 1})
	p.send(0, &amqp.ConnectionOpen{VirtualHost: "/"})
	wait[*amqp.ConnectionOpenOk](p)
	began := time.Now()
	beats := 0
	for {
		f, err := p.frames.Next()
		if err != nil {
			break
		}
		if f.Type == amqp.FrameHeartbeat {
			beats++
		}
	}
	if took := time.Since(began); took < 1900*time.Millisecond || took > 4*time.Second {
		t.Errorf("dropped after %s, want about two seconds", took)
	}
	if beats < 2 {
		t.Errorf("got %d heartbeats meanwhile", beats)
	}
	if got := s.metric(t, "heartbeats_missed_total"); got != 1 {
		t.Errorf("%v missed, want 1", got)
	}
}

// TestConsumerThatDoesNotRead floods a consumer that reads nothing, then lets it
// read: the queue keeps what the socket does not take, in order.
func TestConsumerThatDoesNotRead(t *testing.T) {
	s := start(t, func(c *broker.Config) { c.OutboundHighWater = 16 << 10 })
	p := s.peer(t).login()
	p.send(1, &amqp.QueueDeclare{Queue: "q"})
	wait[*amqp.QueueDeclareOk](p)
	p.send(1, &amqp.BasicConsume{Queue: "q", ConsumerTag: "c", NoAck: true})
	wait[*amqp.BasicConsumeOk](p)
	publisher := s.channel(t)
	body := strings.Repeat("x", 64<<10)
	sent, held := 0, false // once: the socket may take more a moment later
	for ; !held && sent < 1000; sent++ {
		publish(t, publisher, "", "q", fmt.Sprintf("%06d%s", sent, body))
		held = s.Snapshot().VHosts[0].Ready >= 20
	}
	if !held {
		t.Fatal("the queue holds nothing back")
	}
	for i := range sent {
		wait[*amqp.BasicDeliver](p)
		f, err := p.frames.Next()
		must(t, err)
		f, err = p.frames.Next()
		must(t, err)
		if got, want := string(f.Payload[:6]), fmt.Sprintf("%06d", i); got != want {
			t.Fatalf("delivery %d is %s", i, got)
		}
	}
	if s.metric(t, "consumer_stalls_total") == 0 {
		t.Error("no stall was counted")
	}
}

// TestPeerThatDoesNotReadItsAnswers asks without end and reads nothing: the
// broker stops reading it, and serves others.
func TestPeerThatDoesNotReadItsAnswers(t *testing.T) {
	s := start(t, func(c *broker.Config) { c.OutboundHighWater = 4 << 10 })
	p := s.peer(t).login()
	ask, err := amqp.AppendMethodFrame(nil, 1, &amqp.QueueDeclare{Queue: strings.Repeat("q", 200)})
	must(t, err)
	ask = bytes.Repeat(ask, 300)
	for n := 0; err == nil; n += len(ask) {
		if n > 100<<20 {
			t.Fatalf("the broker took %d bytes of requests", n)
		}
		must(t, p.conn.SetWriteDeadline(time.Now().Add(time.Second)))
		_, err = p.conn.Write(ask)
	}
	queue(t, s.channel(t), "other")
}

// TestNothingIsTakenAfterConnectionClose publishes to a broker that has said
// that it closes the connection.
func TestNothingIsTakenAfterConnectionClose(t *testing.T) {
	s := start(t)
	p := s.peer(t).login()
	p.send(1, &amqp.QueueDeclare{Queue: "q", Durable: true})
	wait[*amqp.QueueDeclareOk](p)
	stopped := make(chan error)
	go func() { stopped <- s.stop() }()
	wait[*amqp.ConnectionClose](p)
	p.send(1, &amqp.BasicPublish{RoutingKey: "q"})
	p.write(frame(amqp.FrameHeader, 1, content(60, 0, 0x10, 0, amqp.Persistent))...)
	p.send(0, &amqp.ConnectionCloseOk{})
	must(t, receive(t, stopped))
	if q := durableQueue(t, startIn(t, s.dir).channel(t), "q"); q.Messages != 0 {
		t.Errorf("%d messages, want none", q.Messages)
	}
}

func TestEmptyVHostIsTheDefaultOne(t *testing.T) {
	s := start(t)
	queue(t, s.channel(t), "q")
	p := s.peer(t).enter("")
	p.send(1, &amqp.QueueDeclare{Queue: "q", Passive: true})
	wait[*amqp.QueueDeclareOk](p)
}

func TestTooManyChannels(t *testing.T) {
	p := start(t, func(c *broker.Config) { c.ChannelMax = 2 }).peer(t).login()
	p.send(2, &amqp.ChannelOpen{})
	wait[*amqp.ChannelOpenOk](p)
	p.send(3, &amqp.ChannelOpen{})
	p.wantClose(530, "NOT_ALLOWED - number of channels opened (2) has reached the negotiated channel_max (2)")
}

// TestConfirmsOfOneBurst publishes to a queue that takes two of five messages:
// acks and nacks come in the order of the publishes, the acks as one.
func TestConfirmsOfOneBurst(t *testing.T) {
	p := start(t).peer(t).login()
	p.send(1, &amqp.ConfirmSelect{})
	wait[*amqp.ConfirmSelectOk](p)
	p.send(1, &amqp.QueueDeclare{Queue: "q", Arguments: amqp.Table{"x-max-length": int32(2), "x-overflow": "reject-publish"}})
	wait[*amqp.QueueDeclareOk](p)
	var burst []byte
	for _, key := range []string{"q", "q", "q", "nobody", "nobody"} {
		b, err := amqp.AppendMethodFrame(burst, 1, &amqp.BasicPublish{RoutingKey: key})
		must(t, err)
		burst = amqp.AppendContent(b, 1, amqp.NoProperties[:], nil, amqp.FrameMin)
	}
	p.write(burst...)
	if m := wait[*amqp.BasicAck](p); m.DeliveryTag != 2 || !m.Multiple {
		t.Errorf("got %+v, want 2 and those before", m)
	}
	if m := wait[*amqp.BasicNack](p); m.DeliveryTag != 3 || m.Multiple {
		t.Errorf("got %+v, want 3 refused", m)
	}
	if m := wait[*amqp.BasicAck](p); m.DeliveryTag != 5 || !m.Multiple {
		t.Errorf("got %+v, want 5 and those before", m)
	}
}
