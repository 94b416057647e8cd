package global

//conclave:pure

import _ "fmt"
