package broker_test

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"thump/broker"
	"thump/broker/definitions"
)

// withUser makes a folder whose definitions hold one more user.
func withUser(t *testing.T, name, password string, p definitions.Permission) (dir string) {
	t.Helper()
	dir = t.TempDir()
	store, err := definitions.Open(filepath.Join(dir, "definitions.db"))
	must(t, err)
	must(t, store.PutUser(definitions.User{Name: name, PasswordHash: definitions.HashPassword(password)}))
	if p.User != "" {
		must(t, store.SetPermission("/", p))
	}
	must(t, store.Close())
	return dir
}

func TestPermissions(t *testing.T) {
	dir := withUser(t, "agent", "secret", definitions.Permission{
		User: "agent", Configure: "^mine", Write: "^(mine|thump.metrics$)", Read: "^mine",
	})
	s := startIn(t, dir)
	admin := s.channel(t)
	must(t, admin.ExchangeDeclare("thump.metrics", "fanout", false, false, false, false, nil))
	queue(t, admin, "theirs")
	conn, err := amqp.Dial("amqp://agent:secret@" + s.Addr().String() + "/")
	must(t, err)
	t.Cleanup(func() { conn.Close() })

	ch := open(t, conn)
	queue(t, ch, "mine")
	publish(t, ch, "thump.metrics", "k", "allowed")
	consume(t, ch, "mine")
	for name, c := range map[string]struct {
		text string
		do   func(*amqp.Channel) error
	}{
		"declare": {"configure access to queue 'other'", func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare("other", false, false, false, false, nil)
			return err
		}},
		"delete": {"configure access to queue 'theirs'", func(ch *amqp.Channel) error {
			_, err := ch.QueueDelete("theirs", false, false, false)
			return err
		}},
		"consume": {"read access to queue 'theirs'", func(ch *amqp.Channel) error {
			_, err := ch.Consume("theirs", "", false, false, false, false, nil)
			return err
		}},
		"get": {"read access to queue 'theirs'", func(ch *amqp.Channel) error {
			_, _, err := ch.Get("theirs", true)
			return err
		}},
		"bind": {"read access to exchange 'thump.metrics'", func(ch *amqp.Channel) error {
			return ch.QueueBind("mine", "", "thump.metrics", false, nil)
		}},
		"publish": {"write access to exchange 'amq.fanout'", func(ch *amqp.Channel) error {
			closed := ch.NotifyClose(make(chan *amqp.Error, 1))
			publish(t, ch, "thump.metrics", "k", "allowed")
			publish(t, ch, "amq.fanout", "k", "refused")
			return receive(t, closed)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			wantException(t, c.do(open(t, conn)), 403, "ACCESS_REFUSED - "+c.text+" in vhost '/' refused for user 'agent'")
		})
	}
}

func TestUserWithoutPermissionMayNotEnter(t *testing.T) {
	s := startIn(t, withUser(t, "stranger", "secret", definitions.Permission{}))
	_, err := amqp.Dial("amqp://stranger:secret@" + s.Addr().String() + "/")
	wantException(t, err, 530, "NOT_ALLOWED - access to vhost '/' refused for user 'stranger'")
}

func TestGuestLogsInFromThisHostOnly(t *testing.T) {
	host := outerAddress(t)
	s := start(t, func(c *broker.Config) { c.AMQP = []string{net.JoinHostPort(host, "0")} })
	_, err := amqp.Dial(s.url())
	wantException(t, err, 403, "username or password not allowed") // the client's words
}

// outerAddress returns an address of this host that is not the loopback's.
func outerAddress(t *testing.T) string {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	must(t, err)
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() {
			return n.IP.String()
		}
	}
	t.Skip("this host has no other address than the loopback's")
	return ""
}

func TestConnectionsComeAndGoWithoutATrace(t *testing.T) {
	s := start(t)
	use := func(n int) {
		for range n {
			conn, err := amqp.Dial(s.url())
			must(t, err)
			ch := open(t, conn)
			q, err := ch.QueueDeclare("", false, false, true, false, nil)
			must(t, err)
			consume(t, ch, q.Name)
			publish(t, ch, "", q.Name, "x")
			must(t, conn.Close())
		}
		eventually(t, "all are gone", func() bool { return s.metric(t, "connections") == 0 })
	}
	use(10)
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	use(300)
	eventually(t, "goroutines are back", func() bool { return runtime.NumGoroutine() <= goroutines })
	eventually(t, "files are back", func() bool { return openFiles(t) <= files })
	if snap := s.Snapshot(); snap.VHosts[0].Queues != 0 || s.metric(t, "channels") != 0 || s.metric(t, "consumers") != 0 {
		t.Errorf("left behind: %+v", snap)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil && strings.Contains(err.Error(), "no such file") {
		t.Skip("no /proc here")
	}
	must(t, err)
	return len(list)
}
