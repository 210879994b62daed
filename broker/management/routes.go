package management

import (
	"net/http"
)

// route is one line of the API.
type route struct {
	pattern string
	level   level
	do      func(*call) (any, error)
}

// routes registers the API, by the paths of RabbitMQ's documentation.
func (s *Server) routes() {
	for _, table := range [][]route{s.general(), s.access(), s.topology(), s.clients(), s.governing(), s.checks()} {
		for _, r := range table {
			s.mux.HandleFunc(r.pattern, s.serve(r.level, r.do))
		}
	}
	s.mux.HandleFunc("GET /api/auth", func(w http.ResponseWriter, r *http.Request) {
		v, _ := s.auth(nil)
		answer(w, r, v)
	})
	s.mux.HandleFunc("GET /metrics", s.metrics(false))
	s.mux.HandleFunc("GET /metrics/per-object", s.metrics(true))
	s.mux.HandleFunc("/", s.unknown)
}

func (s *Server) general() []route {
	return []route{
		{"GET /api/overview", anyUser, s.overview},
		{"GET /api/cluster-name", anyUser, s.clusterName},
		{"GET /api/extensions", anyUser, s.extensions},
		{"GET /api/feature-flags", anyUser, s.featureFlags},
		{"GET /api/whoami", anyUser, s.whoami},
		{"GET /api/nodes", monitoring, s.nodes},
		{"GET /api/nodes/{node}", monitoring, s.oneNode},
		{"GET /api/nodes/{node}/memory", monitoring, s.nodeMemory},
		{"GET /api/definitions", administrator, s.exportAll},
		{"POST /api/definitions", administrator, s.importAll},
		{"GET /api/definitions/{vhost}", administrator, s.exportVHost},
		{"POST /api/definitions/{vhost}", administrator, s.importVHost},
	}
}

func (s *Server) access() []route {
	return []route{
		{"GET /api/vhosts", anyUser, s.vhosts},
		{"GET /api/vhosts/{vhost}", observer, s.oneVHost},
		{"PUT /api/vhosts/{name}", administrator, s.putVHost},
		{"DELETE /api/vhosts/{name}", administrator, s.deleteVHost},
		{"GET /api/vhosts/{vhost}/permissions", administrator, s.permissions},
		{"GET /api/vhosts/{vhost}/topic-permissions", administrator, s.topicPermissions},
		{"GET /api/users", administrator, s.users},
		{"GET /api/users/without-permissions", administrator, s.usersWithoutPermissions},
		{"POST /api/users/bulk-delete", administrator, s.bulkDeleteUsers},
		{"GET /api/users/{user}", administrator, s.oneUser},
		{"PUT /api/users/{user}", administrator, s.putUser},
		{"DELETE /api/users/{user}", administrator, s.deleteUser},
		{"POST /api/users/{user}/authenticate", administrator, s.authenticate},
		{"GET /api/users/{user}/permissions", administrator, s.permissions},
		{"GET /api/users/{user}/topic-permissions", administrator, s.topicPermissions},
		{"GET /api/permissions", administrator, s.permissions},
		{"GET /api/permissions/{vhost}/{user}", administrator, s.onePermission},
		{"PUT /api/permissions/{vhost}/{user}", administrator, s.putPermission},
		{"DELETE /api/permissions/{vhost}/{user}", administrator, s.deletePermission},
		{"GET /api/topic-permissions", administrator, s.topicPermissions},
		{"GET /api/topic-permissions/{vhost}/{user}", administrator, s.topicPermissions},
		{"PUT /api/topic-permissions/{vhost}/{user}", administrator, s.putTopicPermission},
		{"DELETE /api/topic-permissions/{vhost}/{user}", administrator, s.deleteTopicPermission},
		{"DELETE /api/topic-permissions/{vhost}/{user}/{exchange}", administrator, s.deleteTopicPermission},
	}
}

func (s *Server) topology() []route {
	return []route{
		{"GET /api/exchanges", anyUser, s.exchanges},
		{"GET /api/exchanges/{vhost}", observer, s.exchanges},
		{"GET /api/exchanges/{vhost}/{exchange}", observer, s.oneExchange},
		{"PUT /api/exchanges/{vhost}/{exchange}", visitor, s.putExchange},
		{"DELETE /api/exchanges/{vhost}/{exchange}", visitor, s.deleteExchange},
		{"POST /api/exchanges/{vhost}/{exchange}/publish", visitor, s.publish},
		{"GET /api/exchanges/{vhost}/{exchange}/bindings/source", observer, s.bindingsFrom},
		{"GET /api/exchanges/{vhost}/{exchange}/bindings/destination", observer, s.bindingsTo},
		{"GET /api/queues", anyUser, s.queues},
		{"GET /api/queues/{vhost}", observer, s.queues},
		{"GET /api/queues/{vhost}/{queue}", observer, s.oneQueue},
		{"PUT /api/queues/{vhost}/{queue}", visitor, s.putQueue},
		{"DELETE /api/queues/{vhost}/{queue}", visitor, s.deleteQueue},
		{"GET /api/queues/{vhost}/{queue}/bindings", observer, s.queueBindings},
		{"DELETE /api/queues/{vhost}/{queue}/contents", visitor, s.purgeQueue},
		{"POST /api/queues/{vhost}/{queue}/get", visitor, s.getMessages},
		{"POST /api/queues/{vhost}/{queue}/actions", visitor, s.queueAction},
		{"GET /api/bindings", anyUser, s.bindings},
		{"GET /api/bindings/{vhost}", observer, s.bindings},
		{"GET /api/bindings/{vhost}/e/{exchange}/{kind}/{destination}", observer, s.bindingsBetween},
		{"POST /api/bindings/{vhost}/e/{exchange}/{kind}/{destination}", visitor, s.postBinding},
		{"GET /api/bindings/{vhost}/e/{exchange}/{kind}/{destination}/{props}", observer, s.oneBinding},
		{"DELETE /api/bindings/{vhost}/e/{exchange}/{kind}/{destination}/{props}", visitor, s.deleteBinding},
	}
}

func (s *Server) clients() []route {
	return []route{
		{"GET /api/connections", anyUser, s.connections},
		{"GET /api/connections/{connection}", anyUser, s.oneConnection},
		{"DELETE /api/connections/{connection}", anyUser, s.closeConnection},
		{"GET /api/connections/{connection}/{part}", anyUser, s.connectionPart},
		{"DELETE /api/connections/username/{user}", administrator, s.closeConnectionsOf},
		{"GET /api/vhosts/{vhost}/connections", observer, s.connections},
		{"GET /api/vhosts/{vhost}/channels", observer, s.channels},
		{"GET /api/channels", anyUser, s.channels},
		{"GET /api/channels/{channel}", anyUser, s.oneChannel},
		{"GET /api/consumers", anyUser, s.consumers},
		{"GET /api/consumers/{vhost}", observer, s.consumers},
	}
}

func (s *Server) governing() []route {
	list := []route{
		{"GET /api/parameters", policymaking, s.parameters},
		{"GET /api/parameters/{component}", policymaking, s.parameters},
		{"GET /api/parameters/{component}/{vhost}", policymaking, s.parameters},
		{"GET /api/parameters/{component}/{vhost}/{name}", policymaking, s.oneParameter},
		{"PUT /api/parameters/{component}/{vhost}/{name}", policymaking, s.putParameter},
		{"DELETE /api/parameters/{component}/{vhost}/{name}", policymaking, s.deleteParameter},
		{"GET /api/global-parameters", policymaking, s.globalParameters},
		{"GET /api/vhost-limits", anyUser, s.vhostLimits},
		{"GET /api/vhost-limits/{vhost}", observer, s.vhostLimits},
		{"PUT /api/vhost-limits/{vhost}/{limit}", administrator, s.putVHostLimit},
		{"DELETE /api/vhost-limits/{vhost}/{limit}", administrator, s.deleteVHostLimit},
		{"GET /api/user-limits", administrator, s.userLimits},
		{"GET /api/user-limits/{user}", administrator, s.limitsOfUser},
		{"PUT /api/user-limits/{user}/{limit}", administrator, s.putUserLimit},
		{"DELETE /api/user-limits/{user}/{limit}", administrator, s.deleteUserLimit},
	}
	for path, operator := range map[string]bool{"/api/policies": false, "/api/operator-policies": true} {
		change := policymaking
		if operator {
			change = administrator
		}
		list = append(list,
			route{"GET " + path, policymaking, s.policies(operator)},
			route{"GET " + path + "/{vhost}", policymaking, s.policies(operator)},
			route{"GET " + path + "/{vhost}/{name}", policymaking, s.onePolicy(operator)},
			route{"PUT " + path + "/{vhost}/{name}", change, s.putPolicy(operator)},
			route{"DELETE " + path + "/{vhost}/{name}", change, s.deletePolicy(operator)},
		)
	}
	return list
}

func (s *Server) checks() []route {
	return []route{
		{"GET /api/aliveness-test/{vhost}", visitor, s.aliveness},
		{"GET /api/healthchecks/node", monitoring, s.checkNode},
		{"GET /api/healthchecks/node/{node}", monitoring, s.checkNode},
		{"GET /api/health/checks/alarms", monitoring, s.checkAlarms},
		{"GET /api/health/checks/local-alarms", monitoring, s.checkAlarms},
		{"GET /api/health/checks/port-listener/{port}", monitoring, s.checkPort},
		{"GET /api/health/checks/protocol-listener/{protocol}", monitoring, s.checkProtocol},
		{"GET /api/health/checks/virtual-hosts", monitoring, s.checkVHosts},
		{"GET /api/health/checks/certificate-expiration/{within}/{unit}", monitoring, healthy},
		{"GET /api/health/checks/node-is-mirror-sync-critical", monitoring, single},
		{"GET /api/health/checks/node-is-quorum-critical", monitoring, single},
	}
}

// unknown answers what no route matches: not found, or the wrong method.
func (s *Server) unknown(w http.ResponseWriter, r *http.Request) {
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := s.mux.Handler(other); pattern != "/" && pattern != "" {
			s.refuse(w, r, &failure{http.StatusMethodNotAllowed, "Method Not Allowed", "Method Not Allowed"})
			return
		}
	}
	s.refuse(w, r, notFound())
}
