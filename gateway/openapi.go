package gateway

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

//go:embed schemas.json
var schemas []byte

// pathParams says what stands in paths.
var pathParams = map[string]string{
	"scope": "a scope: a world of tasks of its own",
	"id":    "a task's id; a slash in it is written as %2F",
	"lease": "a lease, as it was given",
	"name":  "a name; a slash in it is written as %2F",
}

var inBraces = regexp.MustCompile(`\{(\w+)\}`)

type object = map[string]any

func ref(schema string) object { return object{"$ref": "#/components/schemas/" + schema} }

func content(schema string) object {
	return object{"application/json": object{"schema": ref(schema)}}
}

// meanings of the statuses of answers.
var meanings = map[int]string{
	200: "done", 201: "recorded", 202: "accepted, or not ended yet", 204: "there was none",
	400: "the request is not right: bad_request, bad_json, bad_task, bad_schedule, bad_name, bad_body; other_part: the tasks belong to several parts of a divided scope, and so cannot be submitted together",
	401: "unauthorized: no valid token",
	403: "forbidden: a gateway without tokens, asked by another name than localhost",
	404: "not_found, no_scope, no_lease, no_route",
	409: "conflict: another task has this id; duplicate: the task \"id\" has the unique key; state: the task or the lease is not in the state for it; lost, cancelled, task_timeout, no_heartbeat: the work is to stop",
	413: "too_large: the request, a body, a result or the metadata",
	415: "not_json: a body without Content-Type: application/json",
	429: "queue_full, mailbox_full, too_many_polls: again after Retry-After",
	500: "internal: an error of the gateway",
	502: "process_ended, unreachable, bad_answer, failed: the process that was called has not answered, or not in a form that JSON has; bad_body: so has the task's body",
	503: "no_dispatcher, no_holder, no_service, no_zookeeper, stopping, too_many_scopes: again after Retry-After; mismatch: the gateway was told another number of parts than the scope has",
	504: "timeout; unknown_outcome: it may have been done. To submit the same id again is safe, and to say the same of a lease again",
}

// Description is the gateway's OpenAPI 3.1 description, as it is served at
// /openapi.json.
func Description() []byte {
	paths := object{}
	for i := range routes {
		r := &routes[i]
		at, there := paths[r.path].(object)
		if !there {
			at = object{}
			paths[r.path] = at
		}
		at[strings.ToLower(r.method)] = r.describe()
	}
	errors := object{}
	for status, meaning := range meanings {
		if status >= 400 {
			errors[strconv.Itoa(status)] = object{"description": meaning, "content": content("Error")}
		}
	}
	text, err := json.Marshal(object{
		"openapi": "3.1.0",
		"info": object{
			"title": "Conclave gateway", "version": "1",
			"description": "Tasks, workers, globals and services of a Conclave cluster, for every language. Time spans are numbers of seconds, or in requests also texts such as \"1m30s\". " +
				"Bodies are any JSON; what JSON has no form for is an object of one pair: {\"$bytes\": \"base64\"}, {\"$time\": \"RFC 3339\"}, {\"$float\": \"NaN\"}, {\"$map\": [[key, value], ...]}.",
		},
		"jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
		"servers":           []any{object{"url": "/", "description": "the gateway that says this"}},
		"security":          []any{object{"token": []string{}}},
		"paths":             paths,
		"components": object{
			"schemas":         json.RawMessage(schemas),
			"responses":       errors,
			"securitySchemes": object{"token": object{"type": "http", "scheme": "bearer"}},
		},
	})
	if err != nil {
		panic(err) // schemas.json is not JSON
	}
	return text
}

func (r *route) describe() object {
	answers := object{}
	for _, status := range slices.Compact(slices.Sorted(slices.Values(append([]int{r.status, r.also, 400, 401, 403, 413, 415, 500}, r.errors...)))) {
		switch {
		case status == 0, r.open && (status == 401 || status == 403):
		case status == 204:
			answers["204"] = object{"description": meanings[204]}
		case status < 300:
			answers[strconv.Itoa(status)] = object{"description": meanings[status], "content": content(r.gives)}
		default:
			answers[strconv.Itoa(status)] = object{"$ref": fmt.Sprint("#/components/responses/", status)}
		}
	}
	d := object{"operationId": r.name, "summary": r.summary, "responses": answers}
	if r.open {
		d["security"] = []any{}
	}
	params := []object{}
	for _, part := range inBraces.FindAllStringSubmatch(r.path, -1) {
		about, known := pathParams[part[1]]
		if !known {
			panic(fmt.Sprintf("what {%s} is in %s is not said", part[1], r.path))
		}
		params = append(params, object{"name": part[1], "in": "path", "required": true, "description": about, "schema": object{"type": "string"}})
	}
	for _, q := range r.query {
		params = append(params, object{"name": q.name, "in": "query", "description": q.about, "schema": ref(q.schema)})
	}
	if len(params) > 0 {
		d["parameters"] = params
	}
	if r.takes != "" {
		d["requestBody"] = object{"required": r.takes != "Empty", "content": content(r.takes)}
	}
	return d
}

func description(c *call) (any, error) { return json.RawMessage(c.g.spec), nil }
