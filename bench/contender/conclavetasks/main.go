// Command conclavetasks is the contender Conclave in the workloads of tasks:
// ZooKeeper, in a process of its own, and nodes that submit, dispatch and work.
package main

import "conclave/bench/child"

func main() {
	child.Main(map[string]child.Role{"store": zooKeeper}, child.TaskRoles("", openTasks), takeOver)
}
