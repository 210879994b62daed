package management

import (
	"net/http"
	"strconv"
	"strings"
)

// failed is the answer of a check that finds something wrong.
func failed(o object) error {
	o["status"] = "failed"
	return &failure{http.StatusServiceUnavailable, "health", o}
}

func healthy(*call) (any, error) { return object{"status": "ok"}, nil }

func single(*call) (any, error) { return object{"status": "ok", "reason": "single node cluster"}, nil }

func (s *Server) checkAlarms(*call) (any, error) {
	if alarm := s.broker.Snapshot().Alarm; alarm != "" {
		return nil, failed(object{"reason": "There are alarms in effect in the cluster", "alarms": []object{
			{"node": s.node, "resource": strings.TrimPrefix(alarm, "low on ")},
		}})
	}
	return object{"status": "ok"}, nil
}

func (s *Server) checkPort(c *call) (any, error) {
	port, err := strconv.Atoi(c.part("port"))
	if err != nil {
		return nil, badRequest("Invalid port")
	}
	ports := []int{}
	for _, l := range s.listeners() {
		p, _ := l["port"].(int)
		if p == port {
			return object{"status": "ok", "port": port}, nil
		}
		ports = append(ports, p)
	}
	return nil, failed(object{"reason": "No active listener", "missing": port, "ports": ports})
}

func (s *Server) checkProtocol(c *call) (any, error) {
	want := c.part("protocol")
	protocols := []any{}
	for _, l := range s.listeners() {
		if l["protocol"] == want || want == "amqp091" && l["protocol"] == "amqp" {
			return object{"status": "ok", "protocol": want}, nil
		}
		protocols = append(protocols, l["protocol"])
	}
	return nil, failed(object{"reason": "No active listener", "missing": want, "protocols": protocols})
}

// checkVHosts: a virtual host that does not open keeps the broker from starting,
// so what can be wrong here is its journal.
func (s *Server) checkVHosts(*call) (any, error) {
	down := []string{}
	for _, v := range s.broker.VHosts() {
		if j := v.Journal(); j != nil && j.Stats().Failed {
			down = append(down, v.Name())
		}
	}
	if len(down) > 0 {
		return nil, failed(object{"reason": "Some virtual hosts are down", "virtual-hosts": down})
	}
	return object{"status": "ok"}, nil
}

func (s *Server) checkNode(c *call) (any, error) {
	if _, err := s.checkVHosts(c); err != nil {
		return nil, err
	}
	return s.checkAlarms(c)
}
