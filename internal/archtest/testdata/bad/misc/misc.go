package misc // want has no floor yet
