module another
