// Package python has no Go: worker.py and submit.py are a worker and a submitter of
// durable tasks in Python, from its standard library alone, behind "conclave
// gateway". Its tests run them.
//
//	conclave dev &
//	conclave gateway -scopes shop &
//	python3 examples/python/worker.py &
//	python3 examples/python/submit.py add '[1, 2, 3]'
package python
