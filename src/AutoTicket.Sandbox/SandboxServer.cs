namespace AutoTicket.Sandbox;
