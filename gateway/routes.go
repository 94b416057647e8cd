package gateway

import "conclave/task"

// route is one thing that can be asked, with what the description says of it.
type route struct {
	method, path string
	handle       func(*call) (any, error)
	status       int  // of the answer, if all goes well
	also         int  // another such status, or 0
	open         bool // needs no token
	poll         bool // may wait for long

	name, summary string
	query         []param
	takes, gives  string // the schemas of the request's body and of the answer; "": none
	errors        []int  // statuses, beside those that every route has
}

// param is a part of a query.
type param struct{ name, schema, about string }

var spanParam = param{"wait", "Span", "how long to wait at most; the gateway has a bound of its own"}

const (
	scopePath = "/v1/scopes/{scope}"
	taskPath  = scopePath + "/tasks/{id}"
	leasePath = scopePath + "/leases/{lease}"
)

var routes = []route{
	{method: "GET", path: "/healthz", handle: healthy, status: 200, open: true,
		name: "health", summary: "Says that the gateway runs.", gives: "Health"},
	{method: "GET", path: "/readyz", handle: ready, status: 200, open: true,
		name: "ready", summary: "Says whether the gateway has a session with ZooKeeper and takes requests.", gives: "Health", errors: []int{503}},
	{method: "GET", path: "/openapi.json", handle: description, status: 200, open: true,
		name: "description", summary: "This description.", gives: "Any"},

	{method: "GET", path: "/v1/scopes", handle: listScopes, status: 200,
		name: "listScopes", summary: "Lists the scopes that are served; if all are, those that tasks were ever submitted to.", gives: "Scopes", errors: []int{503, 504}},
	{method: "GET", path: scopePath + "/status", handle: status, status: 200,
		name: "status", summary: "Says how the scope stands: counts by state and kind, workers, ages.", gives: "Status", errors: []int{404, 503, 504}},

	{method: "POST", path: scopePath + "/tasks", handle: submit, status: 201,
		name: "submit", summary: "Submits a task, and answers when it is durable. The same id again is the same task.", takes: "Task", gives: "ID", errors: []int{404, 409, 429, 503, 504}},
	{method: "POST", path: scopePath + "/batch", handle: submitMany, status: 201,
		name: "submitMany", summary: "Submits up to 1000 tasks, 300 KiB together: all of them or none.", takes: "Tasks", gives: "IDs", errors: []int{404, 409, 429, 503, 504}},
	{method: "GET", path: scopePath + "/tasks", handle: listTasks, status: 200,
		name: "list", summary: "Selects tasks, oldest first. Metadata are selected by meta.KEY=VALUE.", gives: "TaskList", errors: []int{404, 503, 504},
		query: []param{
			{"state", "String", "states, with commas between them"}, {"kind", "String", "a kind"}, {"worker", "String", "a node"}, {"key", "String", "a key"},
			{"after", "String", "tasks submitted after this one: where an answer has \"after\", there may be more"}, {"limit", "Limit", "how many at most; 100 by default"},
		}},
	{method: "GET", path: taskPath, handle: show, status: 200,
		name: "show", summary: "Tells all that is known of a task.", gives: "Details", errors: []int{404, 503, 504}},
	{method: "GET", path: taskPath + "/wait", handle: wait, status: 200, also: 202, poll: true,
		name: "wait", summary: "Waits for a task's end: 200 when it has ended, in which way its state tells, 202 when it has not yet.", gives: "Details", query: []param{spanParam}, errors: []int{404, 429, 503, 504}},
	{method: "POST", path: taskPath + "/cancel", handle: change((*task.Queue).Cancel), status: 200,
		name: "cancel", summary: "Ends a task. One that runs is stopping until its worker has said how it ended.", takes: "Empty", gives: "Info", errors: []int{404, 409, 503, 504}},
	{method: "POST", path: taskPath + "/retry", handle: change((*task.Queue).Retry), status: 200,
		name: "retry", summary: "Lets a dead or cancelled task wait again, with all its attempts; a delayed one starts now.", takes: "Empty", gives: "Info", errors: []int{404, 409, 503, 504}},
	{method: "DELETE", path: taskPath, handle: change((*task.Queue).Delete), status: 200,
		name: "delete", summary: "Forgets a task that has ended.", gives: "Info", errors: []int{404, 409, 503, 504}},

	{method: "GET", path: scopePath + "/schedules", handle: listSchedules, status: 200,
		name: "listSchedules", summary: "Lists the schedules, by name.", gives: "Schedules", errors: []int{404, 503, 504}},
	{method: "PUT", path: scopePath + "/schedules/{name}", handle: setSchedule, status: 200,
		name: "setSchedule", summary: "Makes a schedule, or replaces it. The same again changes nothing.", takes: "Schedule", gives: "Name", errors: []int{404, 429, 503, 504}},
	{method: "DELETE", path: scopePath + "/schedules/{name}", handle: removeSchedule, status: 200,
		name: "removeSchedule", summary: "Takes a schedule away. Tasks that it has submitted stay.", gives: "Name", errors: []int{404, 503, 504}},

	{method: "POST", path: scopePath + "/leases", handle: take, status: 200, also: 204, poll: true,
		name: "take", summary: "Waits for a task of one of the kinds and leases it: 204 if none came.", takes: "Take", gives: "Lease", errors: []int{404, 429, 502, 503}},
	{method: "POST", path: leasePath + "/heartbeat", handle: heartbeat, status: 200,
		name: "heartbeat", summary: "Shows life, as is due every \"beat\" seconds. 409 says that the work is to stop, and why.", takes: "Empty", gives: "ID", errors: []int{404, 409}},
	{method: "POST", path: leasePath + "/progress", handle: progress, status: 200,
		name: "progress", summary: "Saves something for the next attempt, and shows life.", takes: "Progress", gives: "ID", errors: []int{404, 409, 503, 504}},
	{method: "POST", path: leasePath + "/complete", handle: complete, status: 200,
		name: "complete", summary: "Says that the work is done, with a result, and submits what follows in the same transaction. Answers when that is recorded.", takes: "Complete", gives: "ID", errors: []int{404, 409, 503, 504}},
	{method: "POST", path: leasePath + "/fail", handle: fail, status: 200,
		name: "fail", summary: "Says that the attempt has failed: the task is tried again while attempts are left.", takes: "Reason", gives: "ID", errors: []int{404, 409, 503, 504}},
	{method: "POST", path: leasePath + "/again", handle: again, status: 200,
		name: "again", summary: "Has the task tried again later; that uses up no attempt.", takes: "Again", gives: "ID", errors: []int{404, 409, 503, 504}},
	{method: "POST", path: leasePath + "/discard", handle: discard, status: 200,
		name: "discard", summary: "Says that trying again is no use: the task is dead.", takes: "Reason", gives: "ID", errors: []int{404, 409, 503, 504}},
	{method: "POST", path: leasePath + "/release", handle: release, status: 200,
		name: "release", summary: "Gives the task back, not begun; that uses up no attempt.", takes: "Empty", gives: "ID", errors: []int{404, 409, 503, 504}},

	{method: "GET", path: "/v1/nodes", handle: nodes, status: 200,
		name: "nodes", summary: "Lists the nodes of the cluster.", gives: "Nodes", errors: []int{503, 504}},
	{method: "GET", path: "/v1/services", handle: services, status: 200,
		name: "services", summary: "Lists the services that are, or lately were, offered.", gives: "Services", errors: []int{503, 504}},
	{method: "GET", path: "/v1/services/{name}", handle: service, status: 200,
		name: "service", summary: "Tells who offers a service.", gives: "Service", errors: []int{503, 504}},
	{method: "POST", path: "/v1/services/{name}/call", handle: callService, status: 200, poll: true,
		name: "callService", summary: "Calls any process that offers the service.", takes: "Message", gives: "Answer", errors: []int{429, 502, 503, 504}},
	{method: "POST", path: "/v1/services/{name}/send", handle: sendService, status: 202, poll: true,
		name: "sendService", summary: "Sends to any process that offers the service, or to all.", takes: "MessageToMany", gives: "Sent", errors: []int{429, 502, 503, 504}},
	{method: "GET", path: "/v1/globals/{name}", handle: holder, status: 200, poll: true,
		name: "holder", summary: "Tells who holds a global.", gives: "Holder", query: []param{spanParam}, errors: []int{429, 503, 504}},
	{method: "POST", path: "/v1/globals/{name}/call", handle: callGlobal, status: 200, poll: true,
		name: "callGlobal", summary: "Calls the holder of a global, through a failover if need be. After \"unknown_outcome\" it may have taken the call.", takes: "Message", gives: "Answer", errors: []int{429, 502, 503, 504}},
	{method: "POST", path: "/v1/globals/{name}/send", handle: sendGlobal, status: 202, poll: true,
		name: "sendGlobal", summary: "Sends to the holder of a global, and answers when it is in the holder's mailbox.", takes: "Message", gives: "Sent", errors: []int{429, 502, 503, 504}},
}
